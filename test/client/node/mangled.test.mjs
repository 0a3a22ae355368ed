// What the gateway makes of a mangled stream (../mangling.py), read by the accumulators of the official
// SDKs for node, which are stricter than Python's. An error has to be one of the API's: those that
// complain about the order of events are plain OpenAIErrors and AnthropicErrors.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai-7';

const { BASE_URL, API_KEY, SEEDS } = process.env;
const MODELS = process.env.MODELS.split(',');
const ROOT = BASE_URL.replace(/\/v1$/, '');
const options = { apiKey: API_KEY, maxRetries: 0 };
const schema = { type: 'object', properties: { city: { type: 'string' } } };
const openai = new OpenAI({ baseURL: BASE_URL, ...options });
const anthropic = new Anthropic({ baseURL: ROOT, ...options });

const content = (seed) => `mangle-${seed} and a few more words`;

async function chat(model, seed) {
    const stream = openai.chat.completions.stream({
        model,
        messages: [{ role: 'user', content: content(seed) }],
        ...(seed % 3 === 1 && { tools: [{
            type: 'function', function: { name: 'weather', parameters: schema },
        }] }),
        ...(seed % 3 === 2 && { reasoning_effort: 'high' }),
    });
    assert.ok((await stream.finalChatCompletion()).choices[0].finish_reason);
}

async function messages(model, seed) {
    const stream = anthropic.messages.stream({
        model,
        max_tokens: 3000,
        messages: [{ role: 'user', content: content(seed) }],
        ...(seed % 3 === 1 && { tools: [{ name: 'weather', input_schema: schema }] }),
        ...(seed % 3 === 2 && { thinking: { type: 'enabled', budget_tokens: 2000 } }),
    });
    assert.ok((await stream.finalMessage()).stop_reason);
}

async function responses(model, seed) {
    const stream = openai.responses.stream({
        model,
        input: content(seed),
        store: false,
        ...(seed % 3 === 1 && { tools: [{
            type: 'function', name: 'weather', parameters: schema, strict: false,
        }] }),
        ...(seed % 3 === 2 && { reasoning: { effort: 'high', summary: 'auto' } }),
    });
    let last;
    for await (const event of stream) last = event.type;
    assert.match(last, /^response\.(completed|incomplete|failed)$/);
}

const clients = {
    chat: [chat, OpenAI.APIError],
    messages: [messages, Anthropic.APIError],
    responses: [responses, OpenAI.APIError],
};

// What passes as it is holds what the provider put there.
const passes = (protocol, model) => model.startsWith(`${protocol}/`)
    || (protocol === 'messages' && model.startsWith('claude-on-bedrock/'));

for (const [protocol, [use, ApiError]] of Object.entries(clients)) {
    for (const model of MODELS.filter((m) => !passes(protocol, m))) {
        test(`${protocol} on ${model}`, async () => {
            for (let seed = 0; seed < Number(SEEDS); seed += 1) {
                try {
                    await use(model, seed);
                } catch (error) {
                    // A model may write arguments that are no JSON; they are passed on as they are.
                    const isArguments = seed % 3 === 1 && protocol === 'messages'
                        && /JSON/.test(error.message);
                    if (!(error instanceof ApiError) && !isArguments) {
                        throw new Error(`seed ${seed}: ${error.stack}`);
                    }
                }
            }
        });
    }
}
