// Official SDKs and frameworks for node, unmodified, each against a model of every protocol: the
// environment's MODEL says which. Streaming and a tool's round trip with each of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { tool as langchainTool } from '@langchain/core/tools';
import { HumanMessage } from '@langchain/core/messages';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai-7';
import { z } from 'zod';

const { BASE_URL, API_KEY, MODEL } = process.env;
const ROOT = BASE_URL.replace(/\/v1$/, '');
const options = { apiKey: API_KEY, maxRetries: 0 };
const schema = { type: 'object', properties: { city: { type: 'string' } } };

test('openai: chat, streamed with its helper, tools run by it', async () => {
    const client = new OpenAI({ baseURL: BASE_URL, ...options });
    const asked = [];
    const runner = client.chat.completions.runTools({
        model: MODEL,
        stream: true,
        messages: [{ role: 'user', content: 'hello' }],
        tools: [{
            type: 'function',
            function: {
                name: 'weather', parameters: schema, parse: JSON.parse,
                function: ({ city }) => { asked.push(city); return 'rain'; },
            },
        }],
    });
    assert.equal(await runner.finalContent(), 'You said: hello');
    assert.deepEqual(asked, ['Tromsø']);
});

for (const streamed of [false, true]) {
    test(`openai: chat, a message is sent back as it came, ${streamed ? 'streamed' : 'whole'}`, async () => {
        const client = new OpenAI({ baseURL: BASE_URL, ...options });
        const messages = [{ role: 'user', content: 'hello' }];
        const ask = {
            model: MODEL,
            messages,
            reasoning_effort: 'high',
            tools: [{ type: 'function', function: { name: 'weather', parameters: schema } }],
        };
        const message = streamed
            ? await client.chat.completions.stream(ask).finalMessage()
            : (await client.chat.completions.create(ask)).choices[0].message;
        const [call] = message.tool_calls;
        messages.push(message, { role: 'tool', tool_call_id: call.id, content: 'rain' });
        const { data, response } = await client.chat.completions.create(ask).withResponse();
        assert.equal(data.choices[0].message.content, 'You said: hello');
        const dropped = response.headers.get('x-sluice-dropped') ?? '';
        assert.ok(!dropped.includes('thought signature'), dropped);
        if (!streamed && /^(messages|responses|bedrock)/.test(MODEL)) assert.equal(dropped, '');
    });
}

test('openai: responses, streamed with its helper', async () => {
    const client = new OpenAI({ baseURL: BASE_URL, ...options });
    const stream = client.responses.stream({ model: MODEL, input: 'one two' });
    const kinds = new Set();
    for await (const event of stream) kinds.add(event.type);
    const final = await stream.finalResponse();
    assert.equal(final.output_text, 'You said: one two');
    assert.ok(kinds.has('response.output_text.delta') && kinds.has('response.completed'));
});

test('openai: responses with a tool', async () => {
    const client = new OpenAI({ baseURL: BASE_URL, ...options });
    const stream = client.responses.stream({
        model: MODEL,
        input: 'hello',
        tools: [{ type: 'function', name: 'weather', parameters: schema, strict: false }],
    });
    const call = (await stream.finalResponse()).output.at(-1);
    assert.equal(call.type, 'function_call');
    assert.deepEqual(JSON.parse(call.arguments), { city: 'Tromsø' });
});

test('openai: responses with reasoning', async () => {
    const client = new OpenAI({ baseURL: BASE_URL, ...options });
    const final = await client.responses.stream({
        model: MODEL,
        input: 'one two',
        reasoning: { effort: 'high', summary: 'auto' },
    }).finalResponse();
    assert.equal(final.output_text, 'You said: one two');
    for (const item of final.output.filter((i) => i.type === 'reasoning'))
        assert.ok([...item.summary, ...(item.content ?? [])].some((part) => part.text.length > 0));
});

test('anthropic: messages, streamed with its helper', async () => {
    const client = new Anthropic({ baseURL: ROOT, ...options });
    const stream = client.messages.stream({
        model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'hello' }],
    });
    const deltas = [];
    stream.on('text', (text) => deltas.push(text));
    const final = await stream.finalMessage();
    assert.equal(final.content[0].text, 'You said: hello');
    assert.deepEqual(deltas, ['You', ' said:', ' hello']);
    assert.equal(final.usage.output_tokens, 3);
});

test('anthropic: messages with a tool', async () => {
    const client = new Anthropic({ baseURL: ROOT, ...options });
    const tools = [{ name: 'weather', input_schema: schema }];
    const messages = [{ role: 'user', content: 'hello' }];
    const stream = client.messages.stream({ model: MODEL, max_tokens: 100, messages, tools });
    const first = await stream.finalMessage();
    const call = first.content.at(-1);
    assert.deepEqual([first.stop_reason, call.input], ['tool_use', { city: 'Tromsø' }]);
    messages.push({ role: 'assistant', content: first.content });
    messages.push({
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }],
    });
    const second = await client.messages.create({ model: MODEL, max_tokens: 100, messages, tools });
    assert.equal(second.content[0].text, 'You said: hello');
});

const vercel = {
    'openai, chat': createOpenAI({ baseURL: BASE_URL, apiKey: API_KEY }).chat(MODEL),
    'openai, responses': createOpenAI({ baseURL: BASE_URL, apiKey: API_KEY }).responses(MODEL),
    anthropic: createAnthropic({ baseURL: BASE_URL, apiKey: API_KEY })(MODEL),
    'openai-compatible': createOpenAICompatible({
        name: 'sluice', baseURL: BASE_URL, apiKey: API_KEY, includeUsage: true,
    })(MODEL),
};

for (const [name, model] of Object.entries(vercel)) {
    test(`vercel ai, ${name}: streams and runs tools`, async () => {
        const asked = [];
        const { text, steps } = await generateText({
            model,
            maxRetries: 0,
            prompt: 'hello',
            stopWhen: stepCountIs(3),
            tools: {
                weather: tool({
                    inputSchema: z.object({ city: z.string() }),
                    execute: async ({ city }) => { asked.push(city); return 'rain'; },
                }),
            },
        });
        assert.equal(text, 'You said: hello');
        assert.deepEqual([asked, steps.length], [['Tromsø'], 2]);
        if (name === 'openai-compatible') // it knows Gemini's signatures by Google's own spelling
            assert.equal(steps[1].response.headers['x-sluice-dropped'], undefined);

        const result = streamText({ model, maxRetries: 0, prompt: 'one two' });
        const pieces = [];
        for await (const piece of result.textStream) pieces.push(piece);
        assert.equal(pieces.join(''), 'You said: one two');
        assert.ok(pieces.length > 1, 'tokens came together');
        assert.equal((await result.usage).outputTokens > 0, true);
    });
}

for (const useResponsesApi of [false, true]) {
    test(`langchain, ${useResponsesApi ? 'responses' : 'chat'}: streams and calls tools`, async () => {
        const model = new ChatOpenAI({
            model: MODEL, apiKey: API_KEY, maxRetries: 0, useResponsesApi,
            configuration: { baseURL: BASE_URL },
        });
        let text = '';
        for await (const chunk of await model.stream('hello')) text += chunk.text;
        assert.equal(text, 'You said: hello');
        const weather = langchainTool(async () => 'rain', {
            name: 'weather', description: 'the weather', schema: z.object({ city: z.string() }),
        });
        const bound = model.bindTools([weather]);
        const history = [new HumanMessage('hello')];
        history.push(await bound.invoke(history));
        const call = history[1].tool_calls[0];
        assert.deepEqual(call.args, { city: 'Tromsø' });
        history.push(await weather.invoke(call));
        assert.equal((await bound.invoke(history)).text, 'You said: hello');
    });
}

const classes = {
    400: 'BadRequestError', 401: 'InternalServerError', 403: 'PermissionDeniedError', 404: 'NotFoundError',
    409: 'ConflictError', 422: 'UnprocessableEntityError', 429: 'RateLimitError', 503: 'InternalServerError',
};
test('errors of a provider of another protocol are of the class of their status', async () => {
    const openai = new OpenAI({ baseURL: BASE_URL, ...options });
    const anthropic = new Anthropic({ baseURL: ROOT, ...options });
    const messages = [{ role: 'user', content: 'hello' }];
    for (const [status, kind] of Object.entries(classes)) {
        const model = `messages/status-${status}`;
        await assert.rejects(openai.chat.completions.create({ model, messages }), OpenAI[kind], model);
        await assert.rejects(openai.responses.create({ model, input: 'x' }), OpenAI[kind], model);
        await assert.rejects(
            anthropic.messages.create({ model: `chat/status-${status}`, max_tokens: 9, messages }),
            Anthropic[kind], `chat/status-${status}`);
    }
});
