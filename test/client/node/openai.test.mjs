// The official OpenAI SDK for node, unmodified, against a gateway in front of a scripted provider.
// Model names select what the provider does; test/wire/misbehaviour.py lists them.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenAIEmbeddings } from '@langchain/openai';

const { SDK, BASE_URL, API_KEY, LIMITED_KEY, DEMO_URL } = process.env;
const { default: OpenAI, ...sdk } = await import(SDK);

const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const ask = (model, content, more = {}) =>
    client.chat.completions.create({ model, messages: [{ role: 'user', content }], ...more });
const weather = {
    type: 'function',
    function: {
        name: 'weather',
        parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
};

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}

const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? '').join('');

test('a whole answer', async () => {
    const answer = await ask('good', 'hello');
    assert.equal(answer.choices[0].message.content, 'You said: hello');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.match(answer._request_id, /^[0-9a-f]{32}$/);
    assert.ok(answer.usage.total_tokens > 0);
});

test('a streamed answer', async () => {
    const chunks = await collect(await ask('good', 'one two', { stream: true }));
    assert.equal(textOf(chunks), 'You said: one two');
    assert.ok(chunks.every((c) => c.choices.length === 1), 'a usage chunk nobody asked for');
});

test('a streamed answer with usage', async () => {
    const chunks = await collect(await ask('good', 'x', {
        stream: true, stream_options: { include_usage: true },
    }));
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.completion_tokens, 3);
});

test('the stream helper', async () => {
    const stream = client.chat.completions.stream({
        model: 'good', messages: [{ role: 'user', content: 'a b' }],
    });
    const deltas = [];
    stream.on('content', (delta) => deltas.push(delta));
    const final = await stream.finalChatCompletion();
    assert.equal(final.choices[0].message.content, 'You said: a b');
    assert.equal(deltas.join(''), 'You said: a b');
});

test('tools, whole', async () => {
    const answer = await ask('good', 'weather?', { tools: [weather] });
    const call = answer.choices[0].message.tool_calls[0];
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)],
        ['weather', { city: 'Tromsø' }]);
});

test('tools, streamed', async () => {
    const stream = client.chat.completions.stream({
        model: 'good', messages: [{ role: 'user', content: 'weather?' }], tools: [weather],
    });
    const call = (await stream.finalChatCompletion()).choices[0].message.tool_calls[0];
    assert.equal(call.function.arguments, '{"city":"Tromsø"}');
});

test('tools, run to the end', async () => {
    const asked = [];
    const runner = client.chat.completions.runTools({
        model: 'good',
        messages: [{ role: 'user', content: 'weather?' }],
        tools: [{
            type: 'function',
            function: {
                name: 'weather',
                parse: JSON.parse,
                parameters: weather.function.parameters,
                function: ({ city }) => { asked.push(city); return 'rain'; },
            },
        }],
    });
    assert.equal(await runner.finalContent(), 'You said: weather?');
    assert.deepEqual(asked, ['Tromsø']);
});

test('legacy completions, whole and streamed', async () => {
    const whole = await client.completions.create({ model: 'good', prompt: 'once' });
    assert.equal(whole.choices[0].text, 'You said: once');
    const chunks = await collect(await client.completions.create({
        model: 'good', prompt: 'once', stream: true,
    }));
    assert.equal(chunks.map((c) => c.choices[0]?.text ?? '').join(''), 'You said: once');
});

test('embeddings, as base64 and as numbers', async () => {
    const input = ['a', 'b'];
    const packed = await client.embeddings.create({ model: 'good', input });
    const plain = await client.embeddings.create({ model: 'good', input, encoding_format: 'float' });
    assert.deepEqual(packed.data.map((d) => Array.from(d.embedding)),
        plain.data.map((d) => d.embedding));
    assert.equal(packed.data[1].embedding[0], 2 / 64);
});

test('embeddings of tokens', async () => {
    for (const input of [[1, 2, 3], [[1, 2], [100257]]]) {
        const answer = await client.embeddings.create({ model: 'good', input });
        assert.equal(answer.data.length, Array.isArray(input[0]) ? 2 : 1);
        assert.equal(answer.usage.completion_tokens, 0);
        assert.equal(answer.object, 'list');
    }
});

test('embeddings: what is wrong is named', async () => {
    const rows = [[{ input: ['a', 1] }, 'input[1]'], [{ input: Array(2049).fill('a') }, 'input'],
        [{ dimensions: -1 }, 'dimensions'], [{ encoding_format: 'int8' }, 'encoding_format'],
        [{ stream: true }, 'stream']];
    for (const [wrong, param] of rows) {
        await assert.rejects(client.embeddings.create({ model: 'good', input: 'x', ...wrong }),
            (e) => e instanceof sdk.BadRequestError && e.param === param);
    }
});

test('embeddings through langchain', async () => {
    const model = new OpenAIEmbeddings({
        model: 'good', apiKey: API_KEY, maxRetries: 0, batchSize: 2,
        configuration: { baseURL: BASE_URL },
    });
    const vectors = await model.embedDocuments(['a', 'b', 'c']);
    assert.deepEqual(vectors.map((v) => v[0]), [1 / 64, 2 / 64, 1 / 64]);
    assert.equal((await model.embedQuery('a')).length, 8);
});

test('models, listed and retrieved', async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.includes('good'));
    assert.equal((await client.models.retrieve('good')).id, 'good');
    await assert.rejects(client.models.retrieve('absent'), sdk.NotFoundError);
});

test('unknown members go through', async () => {
    const answer = await ask('echo', 'x', { x_custom: { deep: [1, null] }, temperature: 0.25 });
    const heard = JSON.parse(answer.choices[0].message.content);
    assert.deepEqual(heard.body.x_custom, { deep: [1, null] });
    assert.equal(heard.body.temperature, 0.25);
});

test('abort in the middle of a stream', async () => {
    const stream = await ask('endless', 'x', { stream: true });
    let count = 0;
    for await (const _ of stream) {
        if (++count === 5) stream.controller.abort();
        assert.ok(count < 10_000, 'the abort stopped nothing');
    }
    assert.equal((await ask('good', 'after')).choices[0].message.content, 'You said: after');
});

test('abort before the first byte', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(
        client.chat.completions.create(
            { model: 'silent', messages: [{ role: 'user', content: 'x' }] },
            { signal: controller.signal }),
        sdk.APIUserAbortError);
});

test('a timeout of the client', async () => {
    await assert.rejects(
        client.chat.completions.create(
            { model: 'silent', messages: [{ role: 'user', content: 'x' }] }, { timeout: 300 }),
        sdk.APIConnectionTimeoutError);
});

test('an error in the middle of a stream', async () => {
    for (const model of ['reset-mid-stream', 'error-mid-stream', 'no-finish']) {
        const stream = await ask(model, 'one two three', { stream: true });
        const chunks = [];
        await assert.rejects(async () => {
            for await (const chunk of stream) chunks.push(chunk);
        }, sdk.APIError, model);
        assert.ok(textOf(chunks).startsWith('You said:'), model);
    }
});

const classes = {
    'status-400': sdk.BadRequestError,
    'status-403': sdk.PermissionDeniedError,
    'status-404': sdk.NotFoundError,
    'status-409': sdk.ConflictError,
    'status-422': sdk.UnprocessableEntityError,
    'status-429': sdk.RateLimitError,
    'status-500': sdk.InternalServerError,
    'status-502': sdk.InternalServerError,
    'status-503': sdk.InternalServerError,
    html: sdk.InternalServerError,
    garbage: sdk.InternalServerError,
    'reset-before-head': sdk.InternalServerError,
    'no-such-model': sdk.NotFoundError,
};
for (const [model, kind] of Object.entries(classes)) {
    test(`the class of the error of ${model}`, async () => {
        for (const stream of [false, true]) {
            await assert.rejects(ask(model, 'x', { stream }), (error) => {
                assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
                assert.ok(error.message && error.requestID, error.message);
                return true;
            });
        }
    });
}

test('the code clients switch on', async () => {
    await assert.rejects(ask('status-400', 'x'), (error) => {
        assert.equal(error.code, 'context_length_exceeded');
        assert.equal(error.param, 'messages');
        return true;
    });
});

test('a wrong key', async () => {
    const stranger = new OpenAI({ baseURL: BASE_URL, apiKey: 'sk-wrong', maxRetries: 0 });
    await assert.rejects(stranger.models.list(), sdk.AuthenticationError);
});

test('a limit of requests per minute', async () => {
    const limited = new OpenAI({ baseURL: BASE_URL, apiKey: LIMITED_KEY, maxRetries: 0 });
    const seen = [];
    for (let i = 0; i < 4; i++) {
        await limited.chat.completions
            .create({ model: 'good', messages: [{ role: 'user', content: 'x' }] })
            .then(() => seen.push(200), (error) => {
                assert.ok(error instanceof sdk.RateLimitError);
                assert.ok(Number(error.headers.get('retry-after')) >= 1);
                seen.push(429);
            });
    }
    assert.deepEqual(seen.slice(-2), [429, 429]);
});

test('the retries of the SDK reach the provider again', async () => {
    const patient = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 2 });
    for (const model of ['flaky-429', 'flaky-500', 'flaky-503']) {
        const answer = await patient.chat.completions.create({
            model, messages: [{ role: 'user', content: `${SDK} ${model}` }],
        });
        assert.equal(answer.choices[0].finish_reason, 'stop', model);
    }
});

test('many at once', async () => {
    const texts = await Promise.all(Array.from({ length: 40 }, async (_, i) =>
        textOf(await collect(await ask('good', `number ${i}`, { stream: true })))));
    assert.deepEqual(texts, texts.map((_, i) => `You said: number ${i}`));
});

test('the demo, with no configuration at all', async () => {
    const demo = new OpenAI({ baseURL: DEMO_URL, apiKey: 'none needed', maxRetries: 0 });
    const request = { model: 'sluice/demo', messages: [{ role: 'user', content: 'hello' }] };
    const whole = await demo.chat.completions.create(request);
    const streamed = await demo.chat.completions.stream(request).finalChatCompletion();
    assert.match(whole.choices[0].message.content, /demo/i);
    assert.equal(streamed.choices[0].message.content, whole.choices[0].message.content);
    assert.ok(whole.usage.total_tokens > 0);
    const called = await demo.chat.completions
        .stream({ ...request, tools: [weather] }).finalChatCompletion();
    assert.equal(called.choices[0].message.tool_calls[0].function.name, 'weather');
});

// Pictures and sound, at the base URL and where a path fixes the model.

const sound = () => sdk.toFile(Buffer.alloc(1000), 'speech, nø.mp3', { type: 'audio/mpeg' });

for (const [place, baseURL] of [['all', BASE_URL], ['one model', `${BASE_URL}/good`]]) {
    const there = new OpenAI({ baseURL, apiKey: API_KEY, maxRetries: 0 });

    test(`pictures, on the path of ${place}`, async () => {
        const whole = await there.images.generate({ model: 'good', prompt: 'a bird', n: 2 });
        assert.equal(whole.data.length, 2);
        assert.equal(whole.usage.total_tokens, 18);
        const events = await collect(await there.images.generate({
            model: 'good', prompt: 'a bird', stream: true, partial_images: 1,
        }));
        assert.deepEqual(events.map((e) => e.type),
            ['image_generation.partial_image', 'image_generation.completed']);
        assert.equal(events[1].b64_json, whole.data[0].b64_json);
    });

    test(`speech, on the path of ${place}`, async () => {
        const answer = await there.audio.speech.create({ model: 'good', input: 'x', voice: 'alloy' });
        assert.equal(answer.headers.get('content-type'), 'audio/mpeg');
        let size = 0;
        for await (const piece of answer.body) size += piece.length;
        assert.equal(size, 256 * 64);
    });

    test(`transcriptions, on the path of ${place}`, async () => {
        const ask = (more) => sound().then((file) =>
            there.audio.transcriptions.create({ model: 'good', file, ...more }));
        assert.equal((await ask({ language: 'no' })).text, '1000 bytes in no');
        assert.match(await ask({ response_format: 'vtt' }), /^WEBVTT\n/);
        const events = await collect(await ask({ stream: true }));
        assert.equal(events.at(-1).type, 'transcript.text.done');
    });

    test(`models, on the path of ${place}`, async () => {
        const ids = (await collect(await there.models.list())).map((m) => m.id);
        assert.ok(ids.includes('good'));
        assert.equal(ids.length === 1, place === 'one model');
    });
}
