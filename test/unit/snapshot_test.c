/* What a good file means, and none; how it is written back, hashed and compared. */
#include "config_bed.h"

static void the_example_of_the_documentation_loads(void **state)
{
    (void)state;
    write_file(secret_path, "sk-ant-0123456789\r\n", 0600);
    struct loaded l = good(
        "version: 1\n"
        "listeners:\n"
        "  - { name: api,   address: 0.0.0.0:4000, serves: [api] }\n"
        "  - { name: admin, address: 127.0.0.1:4001, serves: [admin, ui] }\n"
        "  - { name: ops,   address: 0.0.0.0:4002, serves: [health, metrics] }\n"
        "server: { body_max: 64MiB, bodies_in_flight_max: 512MiB, header_timeout: 10s,\n"
        "          idle_timeout: 75s, sse_keepalive: 10s, drain: { delay: 0s, timeout: 25s } }\n"
        "providers:\n"
        "  openai:    { api_key: { env: SLUICE_TEST_KEY } }\n"
        "  anthropic: { api_key: { file: secret }, timeouts: { connect: 3s, total: 10m } }\n"
        "  vllm:      { protocol: openai, base_url: http://127.0.0.1:8000/v1, auth: none,\n"
        "               data_policy: { zdr: true } }\n"
        "models:\n"
        "  anthropic/claude-sonnet-4.5:\n"
        "    context: 200000\n"
        "    endpoints:\n"
        "      - { provider: anthropic, upstream_model: claude-sonnet-4-5,\n"
        "          price: { input: \"3.00\", output: \"15.00\", cache_read: \"0.30\" } }\n"
        "  local: { provider: vllm, upstream_model: llama-3.3-70b }\n"
        "  fast:  { alias: [local, anthropic/claude-sonnet-4.5] }\n"
        "keys:\n"
        "  - { name: dev, secret: { env: SLUICE_TEST_KEY }, models: [\"*\"],\n"
        "      limits: { rpm: 600, tpm: 400000, concurrency: 50 } }\n"
        "  - { name: ci,  hash: " HASH_A " }\n"
        "auth: required\n"
        "store: { url: \"sqlite:///var/lib/sluice/sluice.db\" }\n"
        "observability: { log: { level: info, format: auto }, access_log: stdout,\n"
        "                 tracing: { otlp: http://127.0.0.1:4318 } }\n");
    const struct snapshot *s = l.snap;
    assert_int_equal(s->nlisteners, 3);
    assert_int_equal(s->listeners[0].serves, SERVES_API | SERVES_HEALTH);
    assert_int_equal(s->listeners[1].serves, SERVES_ADMIN | SERVES_UI);
    assert_string_equal(s->listeners[2].address, "0.0.0.0:4002");
    assert_int_equal(s->server.body_max_bytes, 64 << 20);
    assert_int_equal(s->server.drain_timeout_ms, 25000);

    assert_int_equal(s->nproviders, 4); /* and demo */
    const struct provider_options *openai = &s->providers[0], *anthropic = &s->providers[1];
    assert_string_equal(openai->host, "api.openai.com");
    assert_string_equal(openai->host_header, "api.openai.com");
    assert_string_equal(openai->path_prefix, "/v1");
    assert_int_equal(openai->port, 443);
    assert_true(openai->https);
    assert_int_equal(openai->auth, AUTH_BEARER);
    assert_string_equal(openai->auth_header, "Authorization");
    assert_span(secret_reveal(&openai->credential), "sl_test_0123456789");
    assert_span(secret_reveal(&anthropic->credential), "sk-ant-0123456789");
    assert_int_equal(anthropic->connect_timeout_ms, 3000);
    assert_int_equal(anthropic->idle_timeout_ms, 120000);
    assert_string_equal(s->providers[2].host_header, "127.0.0.1:8000");
    assert_int_equal(s->providers[2].auth, AUTH_NONE);
    assert_true(s->providers[2].data_policy.zdr);
    assert_int_equal(s->providers[3].protocol, PROTOCOL_DEMO);

    assert_int_equal(s->nmodels, 4);
    const struct model_options *sonnet = &s->models[0], *local = &s->models[1];
    assert_string_equal(sonnet->id, "anthropic/claude-sonnet-4.5");
    assert_int_equal(sonnet->context, 200000);
    assert_int_equal(sonnet->endpoints[0].provider, 1);
    assert_int_equal(sonnet->endpoints[0].price.input, 3000000);
    assert_int_equal(sonnet->endpoints[0].price.known, 7);
    assert_string_equal(local->endpoints[0].upstream_model, "llama-3.3-70b");
    assert_int_equal(local->endpoints[0].provider, 2);
    assert_int_equal(s->models[2].nalias, 2);
    assert_int_equal(s->models[2].alias[0], 1);
    assert_int_equal(s->models[2].alias[1], 0);
    assert_string_equal(s->models[3].id, "sluice/demo");

    uint8_t digest[SHA256_BYTES];
    digest_sha256(SPAN_LIT("sl_test_0123456789"), digest);
    assert_memory_equal(s->keys[0].sha256, digest, SHA256_BYTES);
    assert_int_equal(s->keys[0].limits.rpm, 600);
    assert_int_equal(s->keys[0].limits.tpm, 400000);
    assert_true(s->keys[1].enabled);
    assert_string_equal(s->keys[1].models.at[0], "*");
    assert_true(s->auth_required);
    assert_int_equal(s->store.kind, STORE_SQLITE);
    assert_string_equal(s->store.path, "/var/lib/sluice/sluice.db");
    assert_string_equal(s->observability.access_log, "stdout");
    loaded_fini(&l);
}

static void without_a_file_the_environment_is_enough(void **state)
{
    (void)state;
    setenv("GROQ_API_KEY", "gsk_0123456789", 1);
    struct loaded l = good(NULL);
    unsetenv("GROQ_API_KEY");
    const struct snapshot *s = l.snap;
    assert_string_equal(said(&l), "0 errors, 0 warnings\n");
    assert_null(s->path);
    assert_int_equal(s->nlisteners, 1);
    assert_string_equal(s->listeners[0].address, "127.0.0.1:4000");
    assert_int_equal(s->listeners[0].serves, SERVES_API | SERVES_HEALTH | SERVES_METRICS);
    assert_false(s->auth_required);
    assert_int_equal(s->nproviders, 2);
    assert_string_equal(s->providers[0].name, "groq");
    assert_string_equal(s->providers[0].path_prefix, "/openai/v1");
    assert_true(s->providers[0].any_model);
    assert_span(secret_reveal(&s->providers[0].credential), "gsk_0123456789");
    assert_string_equal(s->providers[1].name, "demo");
    assert_int_equal(s->nmodels, 1);
    assert_int_equal(s->models[0].endpoints[0].provider, 1);
    assert_int_equal(s->store.kind, STORE_MEMORY);
    loaded_fini(&l);

    l = good(NULL); /* not even a key */
    assert_int_equal(l.snap->nproviders, 1);
    loaded_fini(&l);

    l = load_with(NULL, (struct load_options){.listen = "0.0.0.0:80"});
    assert_non_null(strstr(said(&l), "environment: error: --listen: auth is none"));
    loaded_fini(&l);
}

static void listen_replaces_all_listeners(void **state)
{
    (void)state;
    struct loaded l = load_with("listeners: [{ address: 10.0.0.1:1 }, { address: 10.0.0.1:2 }]\n"
                                "auth: none\n",
                                (struct load_options){.listen = "unix:/run/x.sock"});
    assert_non_null(l.snap);
    assert_int_equal(l.snap->nlisteners, 1);
    assert_string_equal(l.snap->listeners[0].address, "unix:/run/x.sock");
    assert_int_equal(l.snap->listeners[0].mode, 0660);
    loaded_fini(&l);
    l = load_with("demo: true", (struct load_options){.listen = "nonsense"});
    assert_non_null(strstr(said(&l), "error: --listen: not an address"));
    loaded_fini(&l);
}

static void base_urls_come_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *host_header, *prefix, *unix_path;
        uint16_t port;
        bool https;
    } rows[] = {
        {"https://a.example/v1/", "a.example", "a.example", "/v1", NULL, 443, true},
        {"http://a.example", "a.example", "a.example", "", NULL, 80, false},
        {"http://a.example:80/", "a.example", "a.example", "", NULL, 80, false},
        {"https://a.example:80/x/y", "a.example", "a.example:80", "/x/y", NULL, 80, true},
        {"http://[::1]:8000/v1", "::1", "[::1]:8000", "/v1", NULL, 8000, false},
        {"https://[2001:db8::1]", "2001:db8::1", "[2001:db8::1]", "", NULL, 443, true},
        {"http://my_svc:1/v1", "my_svc", "my_svc:1", "/v1", NULL, 1, false},
        {"unix:/run/x.sock", NULL, "localhost", "", "/run/x.sock", 0, false},
        {"unix:/run/x.sock:/v1/", NULL, "localhost", "/v1", "/run/x.sock", 0, false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), "providers: { vllm: { base_url: '%s' } }", rows[i].url);
        struct loaded l = good(text);
        const struct provider_options *p = &l.snap->providers[0];
        assert_row(i, p->https == rows[i].https && p->port == rows[i].port);
        assert_string_equal(p->host_header, rows[i].host_header);
        assert_string_equal(p->path_prefix, rows[i].prefix);
        assert_row(i, (p->host == NULL) == (rows[i].host == NULL));
        assert_row(i, p->host == NULL || strcmp(p->host, rows[i].host) == 0);
        assert_row(i, (p->unix_path == NULL) == (rows[i].unix_path == NULL));
        assert_row(i, p->unix_path == NULL || strcmp(p->unix_path, rows[i].unix_path) == 0);
        loaded_fini(&l);
    }
}

static void collectors_are_named_by_their_base(void **state)
{
    (void)state;
    static const struct {
        const char *url, *target, *authority;
        bool https;
    } rows[] = {
        {"http://127.0.0.1:4318", "/v1/traces", "127.0.0.1:4318", false},
        {"https://otlp.example/", "/v1/traces", "otlp.example", true},
        {"https://cloud.example/api/public/otel", "/api/public/otel/v1/traces", "cloud.example",
         true},
        {"https://cloud.example/otlp//", "/otlp/v1/traces", "cloud.example", true},
        {"https://cloud.example/x/v1/traces", "/x/v1/traces", "cloud.example", true},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[160];
        snprintf(text, sizeof(text), "observability: { tracing: { otlp: '%s' } }", rows[i].url);
        struct loaded l = good(text);
        const struct tracing_options *t = &l.snap->observability.tracing;
        assert_row(i, t->url.https == rows[i].https && t->sample_ppm == 1000000);
        assert_string_equal(t->url.target, rows[i].target);
        assert_string_equal(t->url.authority, rows[i].authority);
        loaded_fini(&l);
    }
    static const struct bad_row bad[] = {
        {"observability: { tracing: { otlp: 'localhost:4317' } }",
         ":1:35: error: observability.tracing.otlp: it begins with neither https:// nor http://"},
        {"observability: { tracing: { otlp: 'https://u:p@h' } }",
         ":1:35: error: observability.tracing.otlp: it holds a user name or a password"},
        {"observability: { tracing: { otlp: 'https://h/?a=b' } }",
         ":1:35: error: observability.tracing.otlp: it has a query, and should have none"},
        {"observability: { tracing: { otlp: 'https://h', sample: 2 } }",
         ":1:56: error: observability.tracing.sample: \"2\" cannot be used here (write a share as a "
         "decimal from 0 to 1: 0.05)"},
        {"observability: { tracing: { otlp: 'https://h', headers: { host: x } } }",
         ":1:59: error: observability.tracing.headers.host: this header is set by sluice itself "
         "(leave it out)"},
        {"observability: { tracing: { otlp: 'https://h', headers: { 'a b': x } } }",
         ":1:59: error: observability.tracing.headers.a b: not the name of a header"},
        {"observability: { tracing: { otlp: 'https://h', headers: { a: { env: SLUICE_UNSET } } } }",
         ":1:62: error: observability.tracing.headers.a: environment variable SLUICE_UNSET is not "
         "set"},
    };
    check_bad(bad, ROWS(bad));
}

static void store_urls_come_apart_without_their_password(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *path, *user, *password, *shown;
        uint16_t port;
        unsigned database;
        bool tls;
    } rows[] = {
        {"redis://h", "h", NULL, NULL, "", "redis://h:6379/0", 6379, 0, false},
        {"redis://:p%40w@h:1/2", "h", NULL, NULL, "p@w", "redis://:***@h:1/2", 1, 2, false},
        {"rediss://u:p@[::1]:1", "::1", NULL, "u", "p", "rediss://u:***@[::1]:1/0", 1, 0, true},
        {"redis+unix:///run/r?db=3", NULL, "/run/r", NULL, "", "redis+unix:///run/r?db=3", 0, 3,
         false},
        {"redis+unix://u:p@/run/r", NULL, "/run/r", "u", "p", "redis+unix://u:***@/run/r?db=0", 0,
         0, false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), "store: { url: '%s' }", rows[i].url);
        struct loaded l = good(text);
        const struct store_options *s = &l.snap->store;
        assert_row(i, s->kind == STORE_REDIS && s->port == rows[i].port && s->tls == rows[i].tls);
        assert_row(i, s->database == rows[i].database);
        assert_string_equal(s->url, rows[i].shown);
        assert_span(secret_reveal(&s->password), rows[i].password);
        assert_row(i, (s->host == NULL) == (rows[i].host == NULL));
        assert_row(i, s->host == NULL || strcmp(s->host, rows[i].host) == 0);
        assert_row(i, (s->path == NULL) == (rows[i].path == NULL));
        assert_row(i, s->path == NULL || strcmp(s->path, rows[i].path) == 0);
        assert_row(i, (s->user == NULL) == (rows[i].user == NULL));
        loaded_fini(&l);
    }
}

static void variables_are_expanded_after_parsing(void **state)
{
    (void)state;
    static const struct {
        const char *written, *prefix;
    } rows[] = {
        {"${SLUICE_TEST_PATH}", "/a: [b"}, /* no structure comes from a variable */
        {"/x${SLUICE_TEST_UNSET:-/d}", "/x/d"},
        {"/x${SLUICE_TEST_EMPTY:-/d}", "/x/d"},
        {"/x${SLUICE_TEST_EMPTY}", "/x"},
        {"/x${SLUICE_TEST_UNSET:-}y", "/xy"},
        {"/$$x", "/$x"},
        {"/$x", "/$x"},
        {"/$", "/$"},
        {"/$${SLUICE_TEST_UNSET}", "/${SLUICE_TEST_UNSET}"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[160];
        snprintf(text, sizeof(text), "store: { prefix: '%s' }", rows[i].written);
        struct loaded l = good(text);
        assert_string_equal(l.snap->store.prefix, rows[i].prefix);
        loaded_fini(&l);
    }
    static const struct bad_row bad[] = {
        {"store: { prefix: '${SLUICE_TEST_UNSET}' }",
         ":1:18: error: store.prefix: environment variable SLUICE_TEST_UNSET is not set (set it, or "
         "write ${SLUICE_TEST_UNSET:-default})"},
        {"store: { prefix: '${SLUICE_TEST_UNSET:?ask Ann}' }",
         ":1:18: error: store.prefix: environment variable SLUICE_TEST_UNSET is not set: ask Ann"},
        {"store: { prefix: '${X' }",
         ":1:18: error: store.prefix: ${ without } (write $$ for a single $)"},
        {"store: { prefix: '${}' }", ":1:18: error: store.prefix: \"${}\" does not name a variable "
                                     "(write $$ for a single $)"},
        {"store: { prefix: '${1A}' }", ":1:18: error: store.prefix: \"${1A}\" does not name a "
                                       "variable (write $$ for a single $)"},
        {"store: { prefix: '${A:+b}' }", ":1:18: error: store.prefix: \"${A:+b}\": after the colon "
                                         "comes - or ? (${A:-default})"},
    };
    check_bad(bad, ROWS(bad));
}

static void secrets_come_from_the_credentials_directory_first(void **state)
{
    (void)state;
    char beside[96], credentials[96];
    snprintf(beside, sizeof(beside), "%s/key", directory);
    snprintf(credentials, sizeof(credentials), "%s/credentials", directory);
    assert_int_equal(mkdir(credentials, 0700), 0);
    write_file(beside, "beside\n", 0600);
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    struct loaded l = good("providers: { openai: { api_key: { file: key } } }");
    assert_span(secret_reveal(&l.snap->providers[0].credential), "beside");
    loaded_fini(&l);
    char there[128];
    snprintf(there, sizeof(there), "%s/key", credentials);
    write_file(there, "there", 0600);
    l = good("providers: { openai: { api_key: { file: key } } }");
    assert_span(secret_reveal(&l.snap->providers[0].credential), "there");
    loaded_fini(&l);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(unlink(there), 0);
    assert_int_equal(rmdir(credentials), 0);
    write_file(beside, "two\nlines\n", 0600);
    l = load("providers: { openai: { api_key: { file: key } } }");
    assert_non_null(strstr(said(&l), "the secret contains a control character"));
    loaded_fini(&l);
    assert_int_equal(unlink(beside), 0);
}

static void no_secrets_resolves_nothing(void **state)
{
    (void)state;
    struct loaded l = load_with("providers:\n"
                                "  openai: {}\n"
                                "  groq: { api_key: { env: SLUICE_TEST_UNSET } }\n"
                                "  xai: { api_key: { file: /nowhere } }\n"
                                "  zai: { api_key: '${SLUICE_TEST_UNSET}' }\n"
                                "keys: [{ name: a, secret: { env: SLUICE_TEST_UNSET } },\n"
                                "       { name: b, secret: { env: SLUICE_TEST_UNSET } }]\n"
                                "listeners: [{ address: 127.0.0.1:1, tls: { cert: /nowhere } }]\n",
                                (struct load_options){.no_secrets = true});
    assert_string_equal(said(&l), "0 errors, 0 warnings\n");
    for (unsigned i = 0; i < l.snap->nproviders; i++)
        assert_false(secret_is_set(&l.snap->providers[i].credential));
    loaded_fini(&l);
}

static void risky_files_are_warned_about(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"listen: 0.0.0.0:4000",
         ":1:9: warning: listen: every interface without tls (fine behind a "
         "proxy that has it)"},
        {"providers: { p: { base_url: 'https://h', api_key: k, tls: { insecure: true } } }",
         ":1:71: warning: providers.p.tls.insecure: the certificate is not verified: anybody in "
         "between can read and change all of it (name the authority with `ca` instead)"},
        {"providers: { p: { base_url: 'http://h', api_key: k } }",
         ":1:29: warning: providers.p.base_url: the key travels in clear text (use https://)"},
        {"providers: { p: { base_url: 'http://h', api_key: k, auth: none } }",
         ":1:50: warning: providers.p.api_key: is not sent to anybody (auth is none)"},
        {"observability: { tracing: { otlp: 'http://collector:4318', headers: { a: secret-b } } }",
         ":1:35: warning: observability.tracing.otlp: the headers travel in clear text (use "
         "https://)"},
        {"observability: { tracing: { sample: 0.5 } }",
         ":1:27: warning: observability.tracing: has no effect (there is no otlp)"},
        {"auth: none\nkeys: [{ name: a, secret: s }]",
         ":1:7: warning: auth: is none, so keys are not asked for"},
        {"account: { prepaid: true }",
         ":1:21: warning: account.prepaid: the store is memory, which forgets all credit at exit "
         "(write store: { url: sqlite:///PATH }, or a Redis)"},
        {"auth: required", ":1:7: warning: auth: nobody can call but with managed keys: there are "
                           "none here (add some under keys, or write auth: none)"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct loaded l = good(rows[i].text);
        if (strstr(said(&l), rows[i].says) == NULL)
            print_error("wanted %s\ngot %s", rows[i].says, said(&l));
        assert_row(i, strstr(said(&l), rows[i].says) != NULL);
        loaded_fini(&l);
    }
    struct loaded l = {0};
    write_file(config_path, "providers: { openai: { api_key: sk-0123456789 } }", 0644);
    assert_int_equal(
        snapshot_load(&(struct load_options){.path = config_path}, &l.snap, &l.findings), 0);
    assert_int_equal(l.findings.warnings, 2);
    assert_non_null(strstr(l.findings.at[1].err.text, "everybody on this machine may read"));
    loaded_fini(&l);
}

static void user_keys_are_ignored_but_names_are_not(void **state)
{
    (void)state;
    struct loaded l = good("x-note: { any: [thing] }\n"
                           "x-t: &t { connect: 1s }\n"
                           "providers:\n"
                           "  x-ai: { api_key: k, x-note: 1, timeouts: *t }\n"
                           "models:\n"
                           "  x-ai/grok-4: { provider: x-ai }\n");
    assert_string_equal(l.snap->providers[0].name, "x-ai");
    assert_string_equal(l.snap->providers[0].host, "api.x.ai");
    assert_int_equal(l.snap->providers[0].connect_timeout_ms, 1000);
    assert_string_equal(l.snap->models[0].endpoints[0].upstream_model, "grok-4");
    loaded_fini(&l);
}

static void any_model_of_a_provider_may_be_named(void **state)
{
    (void)state;
    struct loaded l = good("providers: { vllm: { any_model: true } }\n"
                           "keys: [{ name: a, secret: s, models: [vllm/llama] }]\n");
    assert_true(l.snap->providers[0].any_model);
    loaded_fini(&l);
}

static void demo_can_be_switched_off_and_taken_over(void **state)
{
    (void)state;
    struct loaded l = good("demo: false");
    assert_int_equal(l.snap->nproviders, 0);
    assert_int_equal(l.snap->nmodels, 0);
    loaded_fini(&l);
    l = good(
        "providers: { demo: { protocol: openai, base_url: 'http://127.0.0.1/', auth: none } }");
    assert_int_equal(l.snap->nproviders, 1);
    assert_int_equal(l.snap->nmodels, 0);
    loaded_fini(&l);
    l = good("models: { sluice/demo: { provider: demo, name: Mine } }");
    assert_int_equal(l.snap->nmodels, 1);
    assert_string_equal(l.snap->models[0].name, "Mine");
    assert_int_equal(l.snap->models[0].endpoints[0].provider, 0);
    loaded_fini(&l);
}

/* ── the whole of it ─────────────────────────────────────────────────────────────────────────── */

static const char rich[] =
    "listeners:\n"
    "  - { address: '[::1]:4000', serves: [api, metrics], cors: { origins: ['*'] }, mode: 0600 }\n"
    "server: { body_max: 1MB, drain: { delay: 1500ms } }\n"
    "providers:\n"
    "  openai: { api_key: '${SLUICE_TEST_KEY}', pool: { max: 7 } }\n"
    "  eu: { preset: openai, api_key: { env: SLUICE_TEST_KEY }, tls: { server_name: other } }\n"
    "  mine: { base_url: 'http://127.0.0.1:1', auth: { header: x-key }, api_key: { env: "
    "SLUICE_TEST_KEY }, headers: { x-a: 'b: $$ {c}', x-b: '${SLUICE_TEST_KEY}' } }\n"
    "models:\n"
    "  a/b: { provider: mine, price: { input: 0, output: '1.5' }, max_output: 5, name: 'true' }\n"
    "  openai/e: { provider: openai }\n"
    "  c: { endpoints: [{ provider: mine }, { provider: eu, upstream_model: '1.0', variant: v }] }\n"
    "  d: { alias: [c, a/b] }\n"
    "keys:\n"
    "  - { name: one, secret: { env: SLUICE_TEST_KEY }, models: [d], expires: 2030-12-31 }\n"
    "  - { name: two, secret: literal-key, enabled: false, limits: { tpm: 5 } }\n"
    "store: { url: 'redis://h/1', password: { env: SLUICE_TEST_KEY }, on_error: reject }\n"
    "observability: { log: { level: warn } }\n";

static struct buf written(const struct snapshot *s)
{
    struct buf yaml = {0};
    assert_int_equal(snapshot_write_yaml(s, &yaml), 0);
    assert_int_equal(buf_add_byte(&yaml, 0), 0);
    return yaml;
}

static void what_is_written_means_the_same(void **state)
{
    (void)state;
    struct loaded first = good(rich);
    struct buf yaml = written(first.snap);
    assert_null(strstr((const char *)yaml.at, "literal-key"));
    assert_null(strstr((const char *)yaml.at, "sl_test_0123456789"));
    struct loaded second = good((const char *)yaml.at);
    assert_string_equal(second.snap->hash, first.snap->hash);
    assert_int_equal(second.snap->models[0].endpoints[0].price.known, 3);
    assert_string_equal(second.snap->providers[2].headers[0].value, "b: $ {c}");
    assert_string_equal(second.snap->providers[2].headers[1].value, "sl_test_0123456789");
    buf_fini(&yaml);
    loaded_fini(&first);
    loaded_fini(&second);
}

static void secrets_of_the_file_are_masked(void **state)
{
    (void)state;
    struct loaded l = good(
        "providers:\n"
        "  openai: { api_key: sk-literal-0123456789, headers: { x-token: abcdef } }\n"
        "store: { url: 'redis://u:hidden@h' }\n"
        "admin: { token: 0123456789abcdef }\n"
        "keys: [{ name: a, secret: my-own-key }]\n");
    struct buf yaml = written(l.snap);
    static const char *const secrets[] = {"literal", "abcdef\"", "hidden", "56789a", "my-own"};
    for (size_t i = 0; i < ROWS(secrets); i++)
        assert_row(i, strstr((const char *)yaml.at, secrets[i]) == NULL);
    assert_non_null(strstr((const char *)yaml.at, "api_key: \"sk-…6789\""));
    assert_non_null(strstr((const char *)yaml.at, "u:***@h"));
    buf_fini(&yaml);
    loaded_fini(&l);
}

static void an_environment_is_written_as_its_file(void **state)
{
    (void)state;
    setenv("GROQ_API_KEY", "gsk_0123456789", 1);
    struct loaded l = good(NULL);
    struct buf yaml = written(l.snap);
    assert_string_equal((const char *)yaml.at,
                        "version: 1\n"
                        "listen: \"127.0.0.1:4000\"\n"
                        "providers:\n"
                        "  groq: { api_key: { env: GROQ_API_KEY }, any_model: true }\n"
                        "auth: none\n");
    struct loaded same = good((const char *)yaml.at);
    assert_string_equal(same.snap->hash, l.snap->hash);
    unsetenv("GROQ_API_KEY");
    buf_fini(&yaml);
    loaded_fini(&l);
    loaded_fini(&same);
}

static void the_hash_sees_every_change_and_no_rewording(void **state)
{
    (void)state;
    static const char base[] = "providers: { openai: { api_key: { env: SLUICE_TEST_KEY } } }\n";
    static const char *const same[] = {
        "# a comment\nversion: 1\nproviders:\n  openai:\n    api_key: sl_test_0123456789\n",
        "providers: { openai: { api_key: '${SLUICE_TEST_KEY}', timeouts: { idle: 2m } } }\n",
    };
    static const char *const other[] = {
        "providers: { openai: { api_key: sl_test_0123456780 } }\n",
        "providers: { openai: { api_key: { env: SLUICE_TEST_KEY }, headers: { a: b } } }\n",
        "providers: { openai: { api_key: { env: SLUICE_TEST_KEY } } }\ndemo: false\n",
        "providers: { openai: { api_key: { env: SLUICE_TEST_KEY } } }\nlisten: 127.0.0.1:0\n",
    };
    struct loaded l = good(base);
    assert_int_equal(strlen(l.snap->hash), 64);
    for (size_t i = 0; i < ROWS(same); i++) {
        struct loaded again = good(same[i]);
        assert_row(i, strcmp(again.snap->hash, l.snap->hash) == 0);
        loaded_fini(&again);
    }
    for (size_t i = 0; i < ROWS(other); i++) {
        struct loaded again = good(other[i]);
        assert_row(i, strcmp(again.snap->hash, l.snap->hash) != 0);
        loaded_fini(&again);
    }
    loaded_fini(&l);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *now, *next, *named;
    } rows[] = {
        {"demo: true", "demo: true", NULL},
        {"demo: true", "demo: false\nserver: { body_max: 1MiB }", NULL},
        {"demo: true", "store: { timeout: 1s }", "store.timeout"},
        {"demo: true", "store: { on_error: reject }", "store.on_error"},
        {"listen: 127.0.0.1:1", "listeners: [{ address: 127.0.0.1:1 }]", NULL},
        {"listen: 127.0.0.1:1", "listen: 127.0.0.1:2", NULL},
        {"listen: 127.0.0.1:1", "listeners: [{ address: 127.0.0.1:1 }, { address: 127.0.0.1:2 }]",
         NULL},
        {"demo: true", "store: { url: 'redis://h' }", "store.url"},
        {"store: { url: 'redis://h', password: a }", "store: { url: 'redis://h', password: b }",
         "store.password"},
        {"demo: true", "observability: { access_log: 'off' }", "observability.access_log"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct loaded now = good(rows[i].now), next = good(rows[i].next);
        const char *named = snapshot_needs_restart(now.snap, next.snap);
        if (named == NULL || rows[i].named == NULL)
            assert_row(i, named == rows[i].named);
        else
            assert_string_equal(named, rows[i].named);
        loaded_fini(&now);
        loaded_fini(&next);
    }
}

static void a_path_that_is_no_file_is_an_error(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nowhere/sluice.yaml", "/", "/dev/null"};
    for (size_t i = 0; i < ROWS(paths); i++) {
        struct loaded l = load_with(NULL, (struct load_options){.path = paths[i]});
        assert_row(i, l.snap == NULL && l.findings.errors == 1);
        assert_row(i, strncmp(said(&l), paths[i], strlen(paths[i])) == 0);
        loaded_fini(&l);
    }
}

static void a_file_is_looked_for_where_it_may_be(void **state)
{
    (void)state;
    assert_string_equal(snapshot_find("given.yaml"), "given.yaml");
    setenv("SLUICE_CONFIG", "/from/variable.yaml", 1);
    assert_string_equal(snapshot_find("given.yaml"), "given.yaml");
    assert_string_equal(snapshot_find(NULL), "/from/variable.yaml");
    unsetenv("SLUICE_CONFIG");
}

static void references_keep_a_snapshot(void **state)
{
    (void)state;
    struct loaded l = good("providers: { openai: { api_key: k } }");
    struct snapshot *held = snapshot_ref(l.snap);
    loaded_fini(&l);
    assert_string_equal(held->providers[0].host, "api.openai.com");
    snapshot_unref(held);
    snapshot_unref(NULL);
}

/* docs/configuration.md ends with what the table says. With SLUICE_UPDATE_DOCS it is written. */
static void the_reference_page_is_in_step(void **state)
{
    (void)state;
    static const char mark[] = "which writes it anew. -->\n\n";
    static char page[256 << 10];
    const char *mode = getenv("SLUICE_UPDATE_DOCS") == NULL ? "r" : "r+";
    char path[512];
    snprintf(path, sizeof(path), "%.*s../../docs/configuration.md",
             (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__);
    FILE *f = fopen("docs/configuration.md", mode); /* scripts/test runs it from the root */
    if (f == NULL)
        f = fopen(path, mode); /* meson from its build directory */
    assert_non_null(f);
    struct span text = span_of(page, fread(page, 1, sizeof(page), f));
    size_t head = span_find(text, span_text(mark));
    assert_true(head != SIZE_MAX);
    head += sizeof(mark) - 1;
    struct buf reference = {0};
    assert_int_equal(options_write_reference(&reference), 0);
    if (getenv("SLUICE_UPDATE_DOCS") != NULL) {
        assert_int_equal(ftruncate(fileno(f), (off_t)head), 0);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        assert_int_equal(fwrite(reference.at, 1, reference.tail, f), reference.tail);
    } else if (!span_eq(span_skip(text, head), buf_span(&reference))) {
        fail_msg("docs/configuration.md differs from the table of options: run this test with "
                 "SLUICE_UPDATE_DOCS=1");
    }
    assert_int_equal(fclose(f), 0);
    buf_fini(&reference);
}

static struct span member_of(struct span schema, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":{", name);
    return span_skip(schema, span_find(schema, span_text(quoted)));
}

static void the_schema_knows_what_the_table_knows(void **state)
{
    (void)state;
    struct buf schema = {0};
    assert_int_equal(options_write_schema(&schema), 0);
    struct span text = buf_span(&schema);
    assert_true(span_starts(text, SPAN_LIT("{\"$schema\":\"https://json-schema.org/")));
    assert_true(span_find(member_of(text, "idle_timeout"), SPAN_LIT("(ms|s|m|h|d)")) < 400);
    assert_true(span_find(member_of(text, "auth"), SPAN_LIT("\"enum\":[\"none\"")) < 400);
    assert_true(span_find(member_of(text, "api_key"), SPAN_LIT("#/$defs/secret")) < 400);
    assert_true(span_find(text, SPAN_LIT("\"^x-\":true")) != SIZE_MAX);
    buf_fini(&schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_documentation_loads),
        cmocka_unit_test(without_a_file_the_environment_is_enough),
        cmocka_unit_test(listen_replaces_all_listeners),
        cmocka_unit_test(base_urls_come_apart),
        cmocka_unit_test(collectors_are_named_by_their_base),
        cmocka_unit_test(store_urls_come_apart_without_their_password),
        cmocka_unit_test(variables_are_expanded_after_parsing),
        cmocka_unit_test(secrets_come_from_the_credentials_directory_first),
        cmocka_unit_test(no_secrets_resolves_nothing),
        cmocka_unit_test(risky_files_are_warned_about),
        cmocka_unit_test(user_keys_are_ignored_but_names_are_not),
        cmocka_unit_test(any_model_of_a_provider_may_be_named),
        cmocka_unit_test(demo_can_be_switched_off_and_taken_over),
        cmocka_unit_test(what_is_written_means_the_same),
        cmocka_unit_test(secrets_of_the_file_are_masked),
        cmocka_unit_test(an_environment_is_written_as_its_file),
        cmocka_unit_test(the_hash_sees_every_change_and_no_rewording),
        cmocka_unit_test(changes_that_need_a_restart_are_named),
        cmocka_unit_test(a_path_that_is_no_file_is_an_error),
        cmocka_unit_test(a_file_is_looked_for_where_it_may_be),
        cmocka_unit_test(references_keep_a_snapshot),
        cmocka_unit_test(the_reference_page_is_in_step),
        cmocka_unit_test(the_schema_knows_what_the_table_knows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
