/* Every mistake in a configuration has its line, its path and its advice. */
#include "config_bed.h"

#include "rsa_key.h"

static void unknown_keys_come_with_a_suggestion(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"lisen: 127.0.0.1:1", ":1:1: error: lisen: unknown key (did you mean \"listen\"?)"},
        {"version: 1\nserver: { bodymax: 1MiB }",
         ":2:11: error: server.bodymax: unknown key (did you mean \"body_max\"?)"},
        {"server:\n  drain:\n    timout: 1s",
         ":3:5: error: server.drain.timout: unknown key (did you mean \"timeout\"?)"},
        {"zzzzzzzz: 1", ":1:1: error: zzzzzzzz: unknown key (the reference lists them; x-zzzzzzzz "
                        "would be ignored)"},
        {"models: { m: { provider: demo, upstream: x, pric: {} } }",
         ":1:45: error: models.m.pric: unknown key (did you mean \"price\"?)"},
        {"keys:\n  - { name: a, hash: \"sha256:"
         "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", limit: {} }",
         ":2:97: error: keys[0].limit: unknown key (did you mean \"limits\"?)"},
    };
    check_bad(rows, 4);
    struct loaded two = load(rows[4].text); /* `upstream` is near nothing */
    assert_int_equal(two.findings.errors, 2);
    assert_non_null(strstr(said(&two), rows[4].says));
    loaded_fini(&two);
    check_bad(rows + 5, 1);
}

static void values_of_the_wrong_form_say_what_to_write(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"version: 2", ":1:10: error: version: 2 is out of bounds (1 to 1)"},
        {"version:", ":1:9: error: version: has no value (write one, or leave the line out)"},
        {"version: [1]", ":1:10: error: version: a list, where a single value was expected"},
        {"server: []", ":1:9: error: server: a map was expected (write { key: value }, or one "
                       "\"key: value\" a line)"},
        {"server: { idle_timeout: 75 }",
         ":1:25: error: server.idle_timeout: \"75\" cannot be used here (write a duration with its "
         "unit: 250ms, 30s, 5m, 1h or 1d)"},
        {"server: { idle_timeout: 2d }",
         ":1:25: error: server.idle_timeout: 2d is out of bounds (0s to 1d)"},
        {"server: { body_max: 64 }",
         ":1:21: error: server.body_max: \"64\" cannot be used here (write a size with its unit: "
         "512B, 64KiB, 8MiB or 1GiB)"},
        {"server: { connections_max: -1 }",
         ":1:28: error: server.connections_max: \"-1\" cannot be used here (write a whole number)"},
        {"demo: yes", ":1:7: error: demo: \"yes\" cannot be used here (write true or false)"},
        {"auth: requird", ":1:7: error: auth: \"requird\" is not one of none, required (did you "
                          "mean \"required\"?)"},
        {"auth: \"no\\nne\"",
         ":1:7: error: auth: contains a control character, such as a line end"},
        {"models: { m: { provider: demo, price: { input: \"0.0000001\" } } }",
         ":1:48: error: models.m.price.input: \"0.0000001\" cannot be used here (prices have at "
         "most six decimals)"},
        {"routing: { hedge: { after: p30 } }",
         ":1:28: error: routing.hedge.after: \"p30\" cannot be used here (write a percentile from "
         "p50 to p99, or a duration: 800ms)"},
        {"routing: { hedge: { after: 0s } }",
         ":1:28: error: routing.hedge.after: 0s is out of bounds (1ms to 1d)"},
        {"routing: { retry_budget: { ratio: 20 } }",
         ":1:35: error: routing.retry_budget.ratio: \"20\" cannot be used here (write a share as a "
         "decimal from 0 to 1: 0.05)"},
        {"providers: [a]",
         ":1:12: error: providers: a map was expected (write \"name: { … }\", one a line)"},
        {"keys: {}", ":1:7: error: keys: a list was expected (write \"- \" before each item)"},
        {"server: { fetch: { allow: [10.0.0.0/8, intranet] } }",
         ":1:27: error: server.fetch.allow: not a network (write 10.0.0.0/8 or 192.0.2.7)"},
        {"server: { fetch: { timeout: 0 } }",
         ":1:29: error: server.fetch.timeout: 0s is out of bounds (1ms to 1d)"},
        {"observability: { log: { level: trace } }",
         ":1:32: error: observability.log.level: \"trace\" cannot be used here (write one of "
         "debug, info, warn, error)"},
    };
    check_bad(rows, ROWS(rows));
}

static void listeners_must_make_sense_and_be_safe(void **state)
{
    (void)state;
    static const char address[] =
        ": not an address (write 127.0.0.1:4000, [::1]:4000, 0.0.0.0:4000, unix:/path or fd:NAME)";
    static const char *const not_addresses[] = {"4000",
                                                "':4000'",
                                                "localhost",
                                                "127.0.0.1",
                                                "'127.0.0.1:'",
                                                "127.0.0.1:65536",
                                                "1.2.3:4000",
                                                "'::1:4000'",
                                                "'[::1]'",
                                                "'[::1:4000'",
                                                "example.com:1",
                                                "127.0.0.1:4000x",
                                                "'[127.0.0.1]:1'",
                                                "'127.0.0.1:+1'",
                                                "'*:1'"};
    for (size_t i = 0; i < ROWS(not_addresses); i++) {
        char text[64], says[200];
        snprintf(text, sizeof(text), "listen: %s", not_addresses[i]);
        snprintf(says, sizeof(says), ":1:9: error: listen%s", address);
        check_bad(&(struct bad_row){text, says}, 1);
    }
    static const struct bad_row rows[] = {
        {"listen: 127.0.0.1:1\nlisteners: [{ address: 127.0.0.1:2 }]",
         ":1:9: error: listen: listeners is there, too (keep one)"},
        {"listeners: []",
         ":1:12: error: listeners: the list is empty (name something, or leave the line out)"},
        {"listeners: [{ name: a }]", ":1:13: error: listeners[0].address: is missing "
                                     "(`127.0.0.1:4000`, `[::1]:4000`, `0.0.0.0:4000`, "
                                     "`unix:/path`, or `fd:NAME` for a socket that systemd "
                                     "passes.)"},
        {"listeners: [{ address: 'unix:run.sock' }]",
         ":1:24: error: listeners[0].address: not the absolute path of a socket, 107 bytes at most "
         "(write unix:/run/x.sock)"},
        {"listeners: [{ address: 127.0.0.1:1, serves: [] }]",
         ":1:45: error: listeners[0].serves: a list with at least one word was expected (write "
         "[api])"},
        {"providers: { vllm: {} }\nmodels: { m: { provider: vllm, params: [tols] } }",
         ":2:41: error: models.m.params[0]: \"tols\" is not one of tools, tool_choice, "
         "parallel_tool_calls, response_format, structured_outputs, reasoning, temperature, top_p, "
         "top_k, presence_penalty, frequency_penalty, seed, stop, logprobs, top_logprobs, logit_bias, "
         "web_search_options, web_fetch_options (did you mean \"tools\"?)"},
        {"providers: { vllm: {} }\nmodels: { m: { provider: vllm, input: [] } }",
         ":2:39: error: models.m.input: a list with at least one word was expected (write [text])"},
        {"providers: { vllm: {} }\nmodels: { m: { provider: vllm, quantization: fp64 } }",
         ":2:46: error: models.m.quantization: \"fp64\" is not one of none, fp32, bf16, fp16, fp8, int8, int4 "
         "(did you mean \"fp32\"?)"},
        {"providers: { vllm: {} }\nmodels: { m: { provider: vllm, category: chat } }",
         ":2:42: error: models.m.category: \"chat\" cannot be used here (write one of llm, embedding, "
         "rerank, image, audio, video, search)"},
        {"routing: { weights: { price: 5000 } }",
         ":1:30: error: routing.weights.price: 5000 is out of bounds (0 to 1000)"},
        {"listeners: [{ address: 127.0.0.1:1, serves: [apis] }]",
         ":1:46: error: listeners[0].serves[0]: \"apis\" is not one of api, admin, ui, health, "
         "metrics (did you mean \"api\"?)"},
        {"listeners: [{ address: 127.0.0.1:1 }, { address: localhost:1 }]",
         ":1:39: error: listeners[1]: the same address as listeners[0]"},
        {"listeners: [{ address: 10.0.0.1:1, serves: [admin] }]",
         ":1:13: error: listeners[0]: admin on 10.0.0.1:1 needs tls and admin.token (or listen on "
         "127.0.0.1)"},
        {"listen: 0.0.0.0:4000\nauth: none",
         ":1:9: error: listen: auth is none, and others than this machine can reach 0.0.0.0:4000 "
         "(listen on 127.0.0.1 or a unix socket, or write auth: required and keys)"},
        {"auth: none\nlisteners: [{ address: 'fd:api' }]",
         ":2:13: error: listeners[0]: auth is none, and others than this machine can reach fd:api "
         "(listen on 127.0.0.1 or a unix socket, or write auth: required and keys)"},
        {"listeners: [{ address: 127.0.0.1:1, tls: { key: /dev/null } }]",
         ":1:42: error: listeners[0].tls.cert: is missing (the PEM file with the certificate)"},
        {"listeners: [{ address: 127.0.0.1:1, tls: { cert: /nowhere/x.pem } }]",
         ":1:50: error: listeners[0].tls.cert: /nowhere/x.pem: No such file or directory"},
        {"listeners: [{ address: 127.0.0.1:1, cors: { origins: ['https://a.example/'] } }]",
         ":1:54: error: listeners[0].cors.origins: not an origin: scheme, host and port, without a "
         "path or a slash at the end (write https://chat.example.org, or \"*\")"},
        {"listeners: [{ address: 127.0.0.1:1, mode: rw }]",
         ":1:43: error: listeners[0].mode: \"rw\" cannot be used here (write permissions in octal: "
         "0660)"},
    };
    check_bad(rows, ROWS(rows));
}

static void providers_are_checked(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"providers: { openai: { api_key: { env: SLUICE_TEST_UNSET } } }",
         ":1:33: error: providers.openai.api_key: environment variable SLUICE_TEST_UNSET is not "
         "set"},
        {"providers: { openai: { api_key: { env: SLUICE_TEST_EMPTY } } }",
         ":1:33: error: providers.openai.api_key: environment variable SLUICE_TEST_EMPTY is empty"},
        {"providers: { openai: { api_key: { file: /nowhere/x } } }",
         ":1:33: error: providers.openai.api_key: /nowhere/x cannot be opened: No such file or "
         "directory"},
        {"providers: { openai: { api_key: { file: /dev/zero } } }",
         ":1:33: error: providers.openai.api_key: /dev/zero is not a regular file"},
        {"providers: { openai: { api_key: { vault: x } } }",
         ":1:33: error: providers.openai.api_key: not a secret (write a string, { env: NAME } or { "
         "file: PATH })"},
        {"providers: { openai: { api_key: \"a\\tb\" } }",
         ":1:33: error: providers.openai.api_key: contains a control character, such as a line "
         "end"},
        {"providers: { openai: { api_key: '${SLUICE_TEST_UNSET}' } }",
         ":1:33: error: providers.openai.api_key: environment variable SLUICE_TEST_UNSET is not "
         "set (set it, or write ${SLUICE_TEST_UNSET:-default})"},
        {"providers:\n  groq: {}", ":2:9: error: providers.groq.api_key: is missing (set "
                                   "GROQ_API_KEY, or write api_key: { env: NAME })"},
        {"providers: { mine: { base_url: 'https://h/v1' } }",
         ":1:20: error: providers.mine.api_key: is missing (write api_key: { env: NAME }, or auth: "
         "none)"},
        {"providers: { opnai: { api_key: k } }",
         ":1:21: error: providers.opnai.base_url: is missing, and \"opnai\" is not a known provider "
         "(did you mean \"openai\"?)"},
        {"providers: { azure: { api_key: k } }",
         ":1:21: error: providers.azure.base_url: is missing (it depends on your account with "
         "\"azure\")"},
        {"providers: { My_Provider: { base_url: 'http://127.0.0.1/', auth: none } }",
         ":1:27: error: providers.My_Provider: not a name for a provider: lowercase letters, digits "
         "and single dashes (write \"my-provider\")"},
        {"providers: { p: { preset: opena, api_key: k } }",
         ":1:27: error: providers.p.preset: not a known provider (did you mean \"openai\"?)"},
        {"providers: { vllm: { auth: basic } }",
         ":1:28: error: providers.vllm.auth: not a way to sign in (write none, bearer or { header: "
         "x-api-key })"},
        {"providers: { vllm: { auth: { header: 'a b' }, api_key: k } }",
         ":1:38: error: providers.vllm.auth: \"a b\" is not the name of a header"},
        {"providers: { vllm: { headers: { Host: x } } }",
         ":1:33: error: providers.vllm.headers.Host: this header is set by sluice itself (leave it "
         "out)"},
        {"providers: { vllm: { headers: { 'x:y': x } } }",
         ":1:33: error: providers.vllm.headers.x:y: not the name of a header"},
        {"providers: { vllm: { headers: { a: \"x\\r\\ny: z\" } } }",
         ":1:36: error: providers.vllm.headers.a: contains a control character, such as a line "
         "end"},
        {"providers: { vllm: { api_key: k, headers: { AUTHORIZATION: x } } }",
         ":1:43: error: providers.vllm.headers: one of them carries the key already (see auth)"},
    };
    check_bad(rows, ROWS(rows));
    static const struct {
        const char *url, *says;
    } urls[] = {
        {"ftp://h", "not a base URL (it starts with https://, http:// or unix:/)"},
        {"https://", "no host name in it (write https://host/v1)"},
        {"https:///v1", "no host name in it (write https://host/v1)"},
        {"https://u:p@h/v1", "credentials do not belong into a URL (use api_key)"},
        {"https://h/v1?a=b", "only scheme, host, port and path (no query, no fragment, no blanks)"},
        {"https://h/v1#a", "only scheme, host, port and path (no query, no fragment, no blanks)"},
        {"https://h/v 1", "only scheme, host, port and path (no query, no fragment, no blanks)"},
        {"https://h:0/", "not a port (1 to 65535)"},
        {"https://h:65536/", "not a port (1 to 65535)"},
        {"https://h:x/", "not a port (1 to 65535)"},
        {"https://[::1", "a [ that is not closed"},
        {"https://[h]/", "no host name in it (write https://host/v1)"},
        {"https://h h/", "no host name in it (write https://host/v1)"},
        {"unix:x", "not a socket (write unix:/run/x.sock or unix:/run/x.sock:/v1)"},
        {"unix:/x:v1", "not a socket (write unix:/run/x.sock or unix:/run/x.sock:/v1)"},
    };
    for (size_t i = 0; i < ROWS(urls); i++) {
        char text[128], says[200];
        snprintf(text, sizeof(text), "providers: { vllm: { base_url: '%s' } }", urls[i].url);
        snprintf(says, sizeof(says), ":1:32: error: providers.vllm.base_url: %s", urls[i].says);
        check_bad(&(struct bad_row){text, says}, 1);
    }
}

static void names_must_exist(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"providers: { vllm: {} }\nmodels:\n  a: { provider: vlm }",
         ":3:18: error: models.a.provider: no provider named \"vlm\" (did you mean \"vllm\"?)"},
        {"models:\n  a: { provider: nobody-there }",
         ":2:18: error: models.a.provider: no provider named \"nobody-there\" (add it under "
         "providers)"},
        {"models:\n  anthropic/claude-sonnet-4.5: { provider: demo }\n"
         "  fast: { alias: [sluice/demo, anthropic/claude-sonet-4.5] }",
         ":3:32: error: models.fast.alias[1]: no model named \"anthropic/claude-sonet-4.5\" (did "
         "you mean \"anthropic/claude-sonnet-4.5\"?)"},
        {"models:\n  a: { alias: [sluice/demo] }\n  b: { alias: [a] }",
         ":3:16: error: models.b.alias[0]: \"a\" is an alias itself (name the models behind it)"},
        {"models:\n  a: { alias: [a] }",
         ":2:16: error: models.a.alias[0]: \"a\" is an alias itself (name the models behind it)"},
        {"models:\n  a: { alias: [] }",
         ":2:15: error: models.a.alias: the list is empty, which would mean nothing at all (name "
         "something, or leave the line out)"},
        {"models:\n  a: { endpoints: [] }", ":2:19: error: models.a.endpoints: the list is empty "
                                            "(name something, or leave the line out)"},
        {"models:\n  a: {}", ":2:6: error: models.a: nobody answers for it (write provider: NAME, "
                             "endpoints: […] or alias: […])"},
        {"models:\n  a: { provider: demo, alias: [sluice/demo] }",
         ":2:6: error: models.a: more than one of provider, endpoints and alias (keep one)"},
        {"models:\n  'a b': { provider: demo }",
         ":2:10: error: models.a b: not a model id (visible characters without quotes, 256 at "
         "most)"},
        {"models:\n  a: { endpoints: [{ upstream_model: x }] }",
         ":2:20: error: models.a.endpoints[0].provider: is missing (Which of `providers` answers.)"},
        {"demo: false\nmodels:\n  a: { provider: demo }",
         ":3:18: error: models.a.provider: no provider named \"demo\" (add it under providers)"},
        {"keys: [{ name: a, hash: " HASH_A ", models: [slice/demo] }]",
         ":1:109: error: keys[0].models[0]: no model named \"slice/demo\" (did you mean "
         "\"sluice/demo\"?)"},
    };
    check_bad(rows, ROWS(rows));
}

static void keys_and_stores_are_checked(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"keys: [{ name: a }]",
         ":1:8: error: keys[0]: neither secret nor hash (write secret: { env: NAME }, or hash: with "
         "what `sluice keys hash` prints)"},
        {"keys: [{ name: a, secret: s, hash: " HASH_A " }]",
         ":1:8: error: keys[0]: both secret and hash (keep one)"},
        {"keys: [{ name: a, hash: sha256:12 }]",
         ":1:25: error: keys[0].hash: not a hash (write \"sha256:\" and 64 hexadecimal digits, as "
         "`sluice keys hash` prints them)"},
        {"keys: [{ secret: s }]",
         ":1:8: error: keys[0].name: is missing (What logs and metrics call it.)"},
        {"keys: [{ name: a, secret: s }, { name: a, secret: t }]",
         ":1:32: error: keys[1]: another key is named \"a\""},
        {"keys: [{ name: a, secret: s }, { name: b, secret: s }]",
         ":1:32: error: keys[1]: the same key as another one (give each its own)"},
        {"keys: [{ name: a, secret: s, models: [] }]",
         ":1:38: error: keys[0].models: the list is empty, which would mean nothing at all (name "
         "something, or leave the line out)"},
        {"keys: [{ name: a, secret: s, limits: { rpm: 0 } }]",
         ":1:45: error: keys[0].limits.rpm: 0 is out of bounds (1 to 4294967295)"},
        {"keys: [{ name: a, secret: s, limits: { tasks: 0 } }]",
         ":1:47: error: keys[0].limits.tasks: 0 is out of bounds (1 to 4294967295)"},
        {"keys: [{ name: a, secret: s, budget: { period: day } }]",
         ":1:38: error: keys[0].budget.usd: is missing (US dollars, as decimal text: `\"100\"`.)"},
        {"keys: [{ name: a, secret: s, budget: { usd: \"-1\" } }]",
         ":1:45: error: keys[0].budget.usd: \"-1\" cannot be used here (write US dollars as a "
         "decimal, with twelve digits behind the point at most: \"25.50\")"},
        {"account: { budget: { usd: 1, period: year } }",
         ":1:38: error: account.budget.period: \"year\" cannot be used here (write one of day, week, "
         "month, total)"},
        {"account: { discount_rate: 1.1 }",
         ":1:27: error: account.discount_rate: \"1.1\" cannot be used here (write a share as a "
         "decimal from 0 to 1: 0.05)"},
        {"account: { topup_fee: { percent: 101 } }",
         ":1:34: error: account.topup_fee.percent: \"101\" cannot be used here (write percents as "
         "a decimal from 0 to 100: 2.5)"},
        {"account: { topup_url: pay.example.org }",
         ":1:23: error: account.topup_url: not a URL (write "
         "https://pay.example.org/?amount={amount}&id={id})"},
        {"account: { topup_url: \"https://pay.example.org/{sum}\" }",
         ":1:23: error: account.topup_url: has a word in braces that nothing stands for (there are "
         "{amount}, {fee}, {total}, {account} and {id})"},
        {"keys: [{ name: a, secret: s, expires: 2030-02-30 }]",
         ":1:39: error: keys[0].expires: \"2030-02-30\" cannot be used here (there is no such "
         "date)"},
        {"keys: [{ name: a, secret: s, scope: root }]",
         ":1:37: error: keys[0].scope: \"root\" cannot be used here (write one of workspace, "
         "pipeline, admin)"},
        {"keys: [{ name: a, secret: s, scope: pipeline }]",
         ":1:8: error: keys[0]: scope is pipeline, but of which? (write pipeline: NAME)"},
        {"keys: [{ name: a, secret: s, pipeline: bot }]",
         ":1:40: error: keys[0].pipeline: the scope is another (write scope: pipeline, too)"},
        {"keys: [{ name: a, secret: s, scope: admin, pipeline: bot }]",
         ":1:54: error: keys[0].pipeline: the scope is another (write scope: pipeline, too)"},
        {"keys: [{ name: a, secret: s, scope: pipeline, pipeline: bot }]",
         ":1:57: error: keys[0].pipeline: no model named \"bot\" (add it under models)"},
        {"keys: [{ name: a, secret: s, scope: pipeline, pipeline: sluice/demo }]",
         ":1:57: error: keys[0].pipeline: \"sluice/demo\" cannot stand in a path "
         "(3 to 64 letters, digits, - and _, and no word of the API's own: make an alias)"},
        {"keys: [{ name: a, secret: s, scope: pipeline, pipeline: models }]",
         ":1:57: error: keys[0].pipeline: \"models\" cannot stand in a path "
         "(3 to 64 letters, digits, - and _, and no word of the API's own: make an alias)"},
        {"models: { bot: { alias: [sluice/demo] } }\n"
         "keys: [{ name: a, secret: s, scope: pipeline, pipeline: bot, models: [bot] }]",
         ":2:70: error: keys[0].models: pipeline says it already (leave it out)"},
        {"store: { url: 'mysql://x' }",
         ":1:15: error: store.url: not a store (write memory:, sqlite:///path, "
         "redis://host:6379/0, rediss://host:6380/0 or redis+unix:///path)"},
        {"store: { url: 'redis://:p@h/x' }",
         ":1:15: error: store.url: not the number of a database (write redis://host:6379/0)"},
        {"store: { url: 'redis://:p@h@i' }",
         ":1:15: error: store.url: more than one @ (write %40 for one in a password)"},
        {"store: { url: 'redis://:%zz@h' }",
         ":1:15: error: store.url: % is not followed by two hexadecimal digits (write %25 for a "
         "%)"},
        {"store: { url: 'redis://' }",
         ":1:15: error: store.url: no host name in it (write redis://host:6379/0)"},
        {"store: { url: 'redis+unix://x' }",
         ":1:15: error: store.url: not the absolute path of a socket (write "
         "redis+unix:///run/redis.sock)"},
        {"store: { url: 'redis://:a@h', password: b }",
         ":1:41: error: store.password: there is one in url, too (keep one)"},
        {"store: { timeout: 0 }", ":1:19: error: store.timeout: 0s is out of bounds (1ms to 1m)"},
    };
    check_bad(rows, ROWS(rows));
}

/* In a block of YAML, where quotes are quotes. */
#define VERTEX(more) "providers:\n  vertex:\n    google:\n" more
#define KEY_FILE(more) VERTEX("      credentials: |\n        {" more "}\n")
#define ACCOUNT "\"type\":\"service_account\",\"client_email\":\"a@b\",\"project_id\":\"p\","

static void cloud_accounts_are_checked(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"providers: { vertex: {} }",
         ":1:22: error: providers.vertex.google: needs credentials: { file: PATH }, the key of a "
         "service account (or write an access token as api_key)"},
        {"providers: { vertex: { api_key: x } }",
         ":1:22: error: providers.vertex.google: needs a project"},
        {"providers: { vertex: { api_key: x, google: { project: A/b } } }",
         ":1:55: error: providers.vertex.google.project: not the id of a project (write "
         "my-project-123456)"},
        {"providers: { vertex: { api_key: x, google: { project: p, region: eu/../x } } }",
         ":1:66: error: providers.vertex.google.region: not the name of a region (write "
         "europe-west1, us, eu or global)"},
        {VERTEX("      credentials: nonsense\n"),
         ":4:20: error: providers.vertex.google.credentials: not JSON: the key of a service account "
         "is a JSON file"},
        {VERTEX("      credentials: '[]'\n"),
         ":4:20: error: providers.vertex.google.credentials: not the key of a service account: its "
         "type is \"\" (make one with gcloud iam service-accounts keys create)"},
        {KEY_FILE("\"type\":\"authorized_user\""),
         ":4:20: error: providers.vertex.google.credentials: not the key of a service account: its "
         "type is \"authorized_user\" (make one with gcloud iam service-accounts keys create)"},
        {KEY_FILE("\"type\":\"service_account\",\"client_email\":\"a b\""),
         ":4:20: error: providers.vertex.google.credentials: not the key of a service account: it "
         "has no client_email"},
        {KEY_FILE(ACCOUNT "\"x\":1"), ":4:20: error: providers.vertex.google.credentials: not the "
                                      "key of a service account: it has no private_key"},
        {KEY_FILE(ACCOUNT "\"private_key\":\"secret\""),
         ":4:20: error: providers.vertex.google.credentials: its private_key is not an RSA key in "
         "PEM"},
        {"providers: { azure: { api_key: x, base_url: 'https://h/openai/v1', api_version: v1 } }",
         ":1:45: error: providers.azure.base_url: with api_version it is the resource alone (write "
         "https://NAME.openai.azure.com); URLs that end in /openai/v1 need no api_version"},
        {"providers: { azure: { api_key: x, base_url: 'https://h', api_version: 'a&b' } }",
         ":1:71: error: providers.azure.api_version: not a version (write 2024-10-21)"},
    };
    check_bad(rows, ROWS(rows));
}

/* As JSON writes it: the lines of a key in one string. */
static void add_key(struct buf *out)
{
    for (const char *c = RSA_KEY; *c != '\0'; c++)
        assert_int_equal(*c == '\n' ? buf_add_text(out, "\\n") : buf_add_byte(out, *c), 0);
    assert_int_equal(buf_add_text(out, "\""), 0);
}

static void account_says_where_and_who(void **state)
{
    (void)state;
    static const struct {
        const char *more, *account, *url, *tokens_host;
    } rows[] = {
        {"", "", "https://aiplatform.googleapis.com/v1/projects/p/locations/global",
         "oauth2.googleapis.com"},
        {"      region: eu\n", ",\"token_uri\":\"https://t.example.org/x\"",
         "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu", "t.example.org"},
        {"      region: us-east5\n      project: other\n", ",\"private_key_id\":\"k1\"",
         "https://us-east5-aiplatform.googleapis.com/v1/projects/other/locations/us-east5",
         "oauth2.googleapis.com"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf text = {0};
        assert_int_equal(buf_add_text(&text, VERTEX("")), 0);
        assert_int_equal(buf_add_text(&text, rows[i].more), 0);
        assert_int_equal(
            buf_add_text(&text, "      credentials: |\n        {" ACCOUNT "\"private_key\":\""), 0);
        add_key(&text);
        assert_int_equal(buf_add_text(&text, rows[i].account), 0);
        assert_int_equal(buf_add_text(&text, "}\n"), 0);
        assert_int_equal(buf_add_byte(&text, 0), 0);
        struct loaded l = good((const char *)text.at);
        const struct provider_options *p = &l.snap->providers[0];
        assert_string_equal(p->base_url, rows[i].url);
        assert_string_equal(p->google.client_email, "a@b");
        assert_string_equal(p->google.tokens->host, rows[i].tokens_host);
        assert_row(i, (p->google.key_id != NULL) == (i == 2));
        assert_true(span_eq(secret_reveal(&p->google.private_key), SPAN_LIT(RSA_KEY)));
        assert_int_equal(p->auth, AUTH_NONE);
        loaded_fini(&l);
        buf_fini(&text);
    }
}

static void all_mistakes_are_said_at_once_and_in_order(void **state)
{
    (void)state;
    struct loaded l = load("models: { a: { provider: nobody-there } }\n"
                           "providers: { groq: {} }\n"
                           "listeners: [{ address: 0.0.0.0:1 }]\n"
                           "auth: none\n"
                           "lisen: x\n");
    char want[1500];
    snprintf(
        want, sizeof(want),
        "%s:1:26: error: models.a.provider: no provider named \"nobody-there\" (add it under "
        "providers)\n"
        "%s:2:20: error: providers.groq.api_key: is missing (set GROQ_API_KEY, or write "
        "api_key: { env: NAME })\n"
        "%s:3:13: warning: listeners[0]: every interface without tls (fine behind a proxy that "
        "has it)\n"
        "%s:3:13: error: listeners[0]: auth is none, and others than this machine can reach "
        "0.0.0.0:1 (listen on 127.0.0.1 or a unix socket, or write auth: required and keys)\n"
        "%s:5:1: error: lisen: unknown key (did you mean \"listen\"?)\n"
        "4 errors, 1 warning\n",
        config_path, config_path, config_path, config_path, config_path);
    assert_string_equal(said(&l), want);
    loaded_fini(&l);
}

static void findings_are_json_too(void **state)
{
    (void)state;
    struct loaded l = load("keys: []\nauth: \"non\\\"e\"\n");
    struct buf json = {0};
    char want[600];
    assert_int_equal(findings_write(&l.findings, true, &json), 0);
    assert_int_equal(buf_add_byte(&json, 0), 0);
    snprintf(
        want, sizeof(want),
        "[{\"severity\":\"error\",\"file\":\"%s\",\"line\":2,\"column\":7,\"path\":\"auth\","
        "\"message\":\"\\\"non\\\"e\\\" is not one of none, required (did you mean "
        "\\\"none\\\"?)\"},\n"
        " {\"severity\":\"warning\",\"file\":\"%s\",\"line\":2,\"column\":7,\"path\":\"auth\","
        "\"message\":\"nobody can call but with managed keys: there are none here (add some under "
        "keys, or write auth: none)\"}]\n",
        config_path, config_path);
    assert_string_equal((const char *)json.at, want);
    buf_fini(&json);
    loaded_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_come_with_a_suggestion),
        cmocka_unit_test(values_of_the_wrong_form_say_what_to_write),
        cmocka_unit_test(listeners_must_make_sense_and_be_safe),
        cmocka_unit_test(providers_are_checked),
        cmocka_unit_test(names_must_exist),
        cmocka_unit_test(keys_and_stores_are_checked),
        cmocka_unit_test(cloud_accounts_are_checked),
        cmocka_unit_test(account_says_where_and_who),
        cmocka_unit_test(all_mistakes_are_said_at_once_and_in_order),
        cmocka_unit_test(findings_are_json_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
