/* snapshot.h: a checked, immutable configuration.
 *
 * Made from one YAML file (or from the environment alone), shared by reference count: every
 * exchange holds the one it started under, a reload makes another. Nothing in here changes after
 * snapshot_load, so it is read without asking. All pointers live as long as the snapshot.
 *
 * Units: *_ms milliseconds, *_bytes bytes, prices in pico-dollars per token (1e-12 USD; USD per
 * million tokens times 1e6). A timeout of 0 means none. */
#ifndef SLUICE_CONFIG_SNAPSHOT_H
#define SLUICE_CONFIG_SNAPSHOT_H

#include "sluice/base/buf.h"
#include "sluice/base/digest.h"
#include "sluice/base/err.h"
#include "sluice/base/log.h"
#include "sluice/base/network.h"
#include "sluice/base/secret.h"
#include "sluice/config/capabilities.h"
#include "sluice/config/model_facts.h"
#include "sluice/config/translation_options.h"
#include "sluice/format/url.h"

enum { SERVES_API = 1, SERVES_ADMIN = 2, SERVES_UI = 4, SERVES_HEALTH = 8, SERVES_METRICS = 16 };

struct text_list {
    const char **at;
    unsigned n;
};

struct tls_options {
    const char *cert, *key;  /* PEM files of a listener (key may be the same file); NULL: no TLS */
    const char *ca;          /* upstream: PEM file to verify against; NULL: the system's */
    const char *server_name; /* upstream: SNI and name to verify, NULL: the host of base_url */
    bool insecure;           /* upstream: do not verify (logged as a warning at every load) */
    bool tls13_min;          /* min_version: "1.3" (default "1.2") */
};

struct listener_options {
    const char *name;
    const char *address; /* "127.0.0.1:4000", "[::1]:4000", "unix:/path", "fd:NAME" */
    unsigned serves;     /* SERVES_* */
    struct tls_options tls;
    struct text_list cors_origins;    /* "*" or exact origins */
    struct text_list trusted_proxies; /* "10.0.0.0/8" or single addresses; nobody uses it yet */
    bool reuse_port;
    unsigned mode; /* permissions of a unix socket, default 0660 */
};

/* Files that requests name by URL, got on behalf of providers that take data only. */
struct server_fetch_options {
    bool enabled;
    uint64_t max_bytes;       /* of one file */
    unsigned timeout_ms;      /* of all files of one request together */
    struct text_list allow;   /* networks beside the public addresses */
    struct networks networks; /* the same, read */
    const char *ca;           /* PEM file to verify against; NULL: the system's */
};

struct server_options {
    uint64_t body_max_bytes, file_max_bytes, bodies_in_flight_max_bytes, header_max_bytes;
    unsigned connections_max, headers_max;
    unsigned header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;
    unsigned request_timeout_ms; /* gateway deadline of a whole request (contract 0.4: 408) */
    unsigned sse_keepalive_ms;
    unsigned drain_delay_ms, drain_timeout_ms;
    struct server_fetch_options fetch;
};

enum protocol {
    PROTOCOL_OPENAI,
    PROTOCOL_RESPONSES,
    PROTOCOL_ANTHROPIC,
    PROTOCOL_GEMINI,
    PROTOCOL_BEDROCK,
    PROTOCOL_VERTEX, /* Google's Vertex AI: each model in its maker's protocol */
    PROTOCOL_DEMO,
};
/* As a configuration names it. */
const char *protocol_name(enum protocol p);

enum auth_kind { AUTH_NONE, AUTH_BEARER, AUTH_HEADER };

struct header_option {
    const char *name, *value;
};

/* What a provider does with prompts. */
enum { POLICY_ZDR = 1, POLICY_TRAINING = 2, POLICY_RETENTION = 4 };
struct data_policy_options {
    bool zdr, training;
    uint64_t retention_ms;
    const char *region; /* NULL: unknown */
    unsigned known;     /* which of the three were said */
};

/* What signs requests to AWS; without a key, `api_key` is sent as it is. */
struct aws_options {
    const char *region; /* never NULL with a key */
    const char *access_key;
    struct secret secret_key, session_token;
};

struct provider_options;

/* A service account of Google's, whose key is exchanged for access tokens; without one, `api_key` is
 * sent as it is. */
struct google_options {
    struct secret credentials;         /* the key file as Google makes it, JSON */
    const char *project, *region;      /* project NULL: unknown; region never NULL */
    const char *client_email, *key_id; /* out of the credentials; NULL without, key_id perhaps */
    struct secret private_key;         /* PEM */
    struct provider_options *tokens;   /* where they are to be had, reached like a provider */
};

struct provider_options {
    const char *name;   /* as written: the slug (contract 0.8) */
    const char *preset; /* whose facts were taken, NULL: of its own name */
    enum protocol protocol;
    const char *base_url; /* as written, for messages */
    bool https;
    const char *host; /* without brackets; NULL for a unix socket */
    uint16_t port;
    const char *unix_path;   /* base_url: unix:/path[:/prefix] */
    const char *host_header; /* "api.example.com" or "127.0.0.1:8000" */
    const char *path_prefix; /* "/v1", without a trailing slash, may be "" */
    enum auth_kind auth;
    const char *auth_header; /* "Authorization", or the name AUTH_HEADER uses */
    struct secret credential;
    struct aws_options aws;
    struct google_options google;
    const char *api_version;       /* Azure's; NULL: the paths everybody has */
    struct header_option *headers; /* sent with every request */
    unsigned nheaders;
    struct tls_options tls;
    unsigned connect_timeout_ms, first_byte_timeout_ms, idle_timeout_ms, total_timeout_ms;
    unsigned pool_max, pool_idle_timeout_ms;
    bool has_responses;             /* `responses`: it answers the Responses protocol beside Chat */
    bool stores_responses;          /* a Responses request that does not say so may be kept */
    unsigned preset_yes, preset_no; /* facts of all its models that are known without being told */
    struct fact_options facts;      /* and those that were written */
    bool any_model; /* `any_model`: any model "name/…" is offered, as without a file */
    struct data_policy_options data_policy;
};

/* Bits of price_options.known, in the order of its members. */
enum price_part {
    PRICE_INPUT = 1 << 0,
    PRICE_OUTPUT = 1 << 1,
    PRICE_CACHE_READ = 1 << 2,
    PRICE_CACHE_WRITE = 1 << 3,
    PRICE_CACHE_WRITE_1H = 1 << 4,
    PRICE_REASONING = 1 << 5,
    PRICE_AUDIO_INPUT = 1 << 6,
    PRICE_AUDIO_OUTPUT = 1 << 7,
    PRICE_IMAGE_INPUT = 1 << 8,
    PRICE_IMAGE_OUTPUT = 1 << 9,
    PRICE_VIDEO_INPUT = 1 << 10,
    PRICE_CHARACTER = 1 << 11,
    PRICE_IMAGE = 1 << 12,
    PRICE_SECOND = 1 << 13,
    PRICE_REQUEST = 1 << 14,
    PRICE_SEARCH = 1 << 15,
    PRICE_TOOL_CALL = 1 << 16,
};
enum { PRICE_PARTS = 17 };

struct price_options {
    /* pico-dollars per token. Those of the cache are never unset: what the file leaves out is what the
     * model's maker asks for (src/config/cache_price.c), and has no bit in `known`. */
    uint64_t input, output, cache_read, cache_write, cache_write_1h, reasoning;
    uint64_t audio_input, audio_output, image_input, image_output, video_input;
    uint64_t character; /* of a text to speak */
    /* pico-dollars each: a picture, a second of sound, a request, a search, another call of a tool that
     * the provider runs */
    uint64_t image, second, request, search, tool_call;
    unsigned known;    /* bits of enum price_part: what was given */
    bool long_context; /* dearer for long prompts (cost.h) */
};

/* A part of a price by its place: what a configuration calls it, the member, and whether it is for one
 * thing (USD each) rather than for a token (USD per million). */
const char *price_part_name(unsigned part);
uint64_t price_part_pd(const struct price_options *p, unsigned part);
bool price_part_is_each(unsigned part);
void price_part_set(struct price_options *p, enum price_part bit, uint64_t pd);

struct endpoint_options {
    unsigned provider; /* index into snapshot->providers */
    const char *upstream_model;
    const char *variant; /* endpoint slug "provider/variant", NULL when none */
    struct price_options price;
    bool enabled;
    uint64_t context, max_output; /* tokens, 0 unknown */
    unsigned quantization;        /* enum quantization */
    unsigned params, input;       /* bits of enum capability and enum modality */
    unsigned known;               /* ENDPOINT_PARAMS, ENDPOINT_INPUT: were they said? */
    struct data_policy_options data_policy;
    struct fact_options facts;
};
enum { ENDPOINT_PARAMS = 1, ENDPOINT_INPUT = 2 };

struct model_options {
    const char *id;
    const char *name; /* display name, NULL: id */
    uint64_t context; /* tokens, 0 unknown */
    uint64_t created; /* unix seconds, 0 unknown */
    enum category category;
    unsigned input, output; /* bits of enum modality */
    unsigned known;         /* MODEL_INPUT, MODEL_OUTPUT, MODEL_CATEGORY: were they said? */
    bool distillable;
    struct endpoint_options *endpoints; /* empty when this is an alias */
    unsigned nendpoints;
    unsigned *alias; /* indices into snapshot->models, ordered; none of them an alias itself */
    unsigned nalias;
};

enum { MODEL_INPUT = 1, MODEL_OUTPUT = 2, MODEL_CATEGORY = 4 };

/* What a key is for (contract 0.3). */
enum key_scope {
    SCOPE_WORKSPACE, /* calls models */
    SCOPE_PIPELINE,  /* calls one of them */
    SCOPE_ADMIN,     /* manages: /v1/byok */
};

/* A credential of callers' own (BYOK, contract 2.3): own_provider.h reads it. */
struct byok_options {
    const char *provider_name;
    unsigned provider; /* index into snapshot->providers */
    struct secret credential;
};

/* How much at once and in a minute; 0: no such limit. */
struct limit_options {
    unsigned rpm, concurrency, tasks; /* tasks: pictures and sound */
    uint64_t tpm;
};

/* The calendar is UTC's; a week begins on Monday. */
enum budget_period { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_TOTAL };
struct budget_options {
    uint64_t usd_pd;
    enum budget_period period;
    unsigned known; /* BUDGET_USD: there is one */
};
enum { BUDGET_USD = 1 };

/* What a subscription includes (contract 0.3). Of each number 0 means: no such limit. */
struct plan_options {
    const char *name;
    bool has_access; /* false: none of its keys may call */
    unsigned rpm;    /* requests a minute of a key that has no limit of its own */
    unsigned rpm_ceiling;
    unsigned tasks; /* at the same time, of all keys together */
};

enum { KEY_ID_SIZE = 40 }; /* "key:" before it makes the name of its counters: 48 bytes at most */

struct key_options {
    const char *name;
    char id[KEY_ID_SIZE]; /* stays, whatever else is changed; of the file's: from the digest */
    uint8_t sha256[SHA256_BYTES]; /* of the whole key; the key itself is not kept */
    enum key_scope scope;
    const char *pipeline;    /* SCOPE_PIPELINE: a model or an alias; else NULL */
    struct text_list models; /* "*" or model ids; never empty */
    struct limit_options limits;
    struct budget_options budget;
    uint64_t expires_unix_ms; /* 0: never */
    bool enabled;
    struct byok_options *byok; /* for its requests alone */
    unsigned nbyok;
    const char *plan; /* NULL: the account's */
};

/* What all keys share (contract: the workspace). */
struct account_options {
    const char *name;
    const char *plan;      /* NULL: none, keys have what limits they have */
    bool is_prepaid;       /* its balance may not go below 0 */
    unsigned discount_ppm; /* what a cost is multiplied by: 1000000 is none */
    struct budget_options budget;
    struct limit_options limits; /* of all keys together */
    const char *topup_url;       /* template of a payment page; NULL: there is none */
    unsigned topup_fee_ppm;      /* on top of what is credited: a share of it, */
    uint64_t topup_fee_pd;       /* and so much besides */
    uint64_t reserve_output;     /* tokens an answer is taken to have when nobody says how many */
};

enum store_kind { STORE_MEMORY, STORE_SQLITE, STORE_REDIS };

struct store_options {
    enum store_kind kind;
    const char *url;  /* as written, password masked: for messages */
    const char *path; /* SQLite file, or a Redis unix socket */
    const char *host;
    uint16_t port;
    bool tls;
    struct tls_options tls_options;
    const char *user;
    struct secret password;
    unsigned database;
    const char *prefix;  /* of every Redis key, default "sluice:" */
    unsigned timeout_ms; /* deadline of one call, default 50 */
    bool fail_closed;    /* on_error: local (default) or reject */
};

/* Under which what is managed at run time is encrypted: the first seals, all open (base/seal.h). */
enum { MASTER_KEYS_MAX = 4 };
struct master_keys {
    struct secret at[MASTER_KEYS_MAX]; /* SEAL_KEY_BYTES each; unset with no_secrets */
    unsigned n;
};

/* What is kept of each call (store/history.h). */
struct history_options {
    bool enabled;
    uint64_t retention_ms, max_records;
};

struct secret_header {
    const char *name;
    struct secret value;
};

struct tracing_options {
    const char *otlp; /* URL of a collector, as written; NULL: nobody wants spans */
    struct url url;   /* where they are posted to */
    struct secret_header *headers;
    unsigned nheaders;
    unsigned sample_ppm; /* of the requests that come with no decision of their own */
    bool propagates;     /* providers are told which trace a request is of */
    const char *service;
    const char *ca; /* PEM file to verify against; NULL: the system's */
};

struct observability_options {
    enum log_level level;
    enum { LOG_AUTO, LOG_TEXT, LOG_JSON } format;
    const char *access_log; /* "stdout", "off" or a path */
    struct tracing_options tracing;
};

/* Answers given again to whoever asks for that (cache_strategy). */
struct cache_options {
    bool enabled;
    uint64_t ttl_ms, max_bytes; /* of one answer */
};

/* What the default strategy weighs (contract 2.2, D-34); only the proportions matter. */
struct route_weights {
    unsigned price, throughput, latency, reliability;
};

/* What a request may name instead of a model. */
enum task { TASK_GENERAL, TASK_REASONING, TASK_CODING, TASK_LONG_CONTEXT, TASKS };

struct model_family {
    unsigned *models; /* indices into snapshot->models, from the cheapest to the best; no aliases */
    unsigned n;
};

/* How many further attempts there are at endpoints that are not well. */
struct retry_budget_options {
    unsigned ratio_ppm; /* of the requests */
    unsigned min_per_second;
};

/* When a second attempt is made beside a slow one. */
#define HEDGE_AFTER_QUANTILE 0x80000000u
struct hedge_options {
    bool enabled;
    unsigned after; /* ms; or with HEDGE_AFTER_QUANTILE, a percentile of the endpoint's own times */
    unsigned max_share_ppm; /* of the requests */
};

struct routing_options {
    struct route_weights weights;
    bool train_opt_out, zdr_only; /* of all requests, whatever they say (contract 2.26) */
    struct model_family families[TASKS];
    bool explain;       /* every answer says why it came from where it did */
    const char *record; /* file for decisions, NULL: none */
    struct retry_budget_options retry_budget;
    struct hedge_options hedge;
    bool continues_streams; /* that broke, by another endpoint */
};

struct snapshot {
    unsigned refs;
    unsigned version;                /* of the file's form: 1 */
    bool demo;                       /* the built-in provider and its model sluice/demo are there */
    const char *path;                /* of the file, NULL when made from the environment */
    char hash[2 * SHA256_BYTES + 1]; /* of the resolved configuration without secrets */
    /* Of what routing reads alone, and of no secret: the same where `--no-secrets` loads it. */
    char routing_hash[2 * SHA256_BYTES + 1];
    uint64_t generation; /* set by whoever installs it: 1, 2, 3… */

    struct listener_options *listeners;
    unsigned nlisteners;
    struct server_options server;
    struct provider_options *providers;
    unsigned nproviders;
    struct translation_options translation;
    struct model_options *models;
    unsigned nmodels;
    struct account_options account;
    struct plan_options *plans; /* those of the file: plans.h knows the built-in ones, too */
    unsigned nplans;
    struct key_options *keys;
    unsigned nkeys;
    const char *key_prefix; /* of keys that are made here */
    bool auth_required;
    struct byok_options *byok; /* for everybody's requests */
    unsigned nbyok;
    struct secret admin_token;
    struct master_keys master_keys;
    struct store_options store;
    struct history_options history;
    struct cache_options cache;
    struct routing_options routing;
    struct observability_options observability;

    struct config_text *text; /* private: owns every string above */
};

/* All problems of one load, in order of appearance. */
struct findings {
    struct finding {
        struct err err;
        char path[128]; /* "models.fast.alias[1]" */
        bool warning;
    } *at;
    unsigned n, errors, warnings;
};
void findings_fini(struct findings *f);
/* One line each, as `sluice check` prints them (config.md), or as a JSON array. */
int findings_write(const struct findings *f, bool json, struct buf *out)
    __attribute__((warn_unused_result));

struct load_options {
    const char *path;   /* NULL: from the environment alone */
    bool no_secrets;    /* references to secrets are not resolved */
    const char *listen; /* overrides the listeners with one api listener; NULL: as configured */
};

/* 0 and *out with one reference, or -EINVAL when there is at least one error. Opens no socket;
 * reads the file, files it refers to, and the environment. */
int snapshot_load(const struct load_options *o, struct snapshot **out, struct findings *f)
    __attribute__((warn_unused_result));
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is fine */

/* The first of --config, $SLUICE_CONFIG, ./sluice.yaml, /etc/sluice/sluice.yaml that exists, or NULL
 * when there is none. `explicit_path` and the variable are returned even when absent, so that the
 * load can say so. */
const char *snapshot_find(const char *explicit_path);

/* The file that means the same (secrets as references where they came from one, masked otherwise). */
int snapshot_write_yaml(const struct snapshot *s, struct buf *out)
    __attribute__((warn_unused_result));

/* One text of such a file, in quotes where it has to be. */
int yaml_write_scalar(struct buf *out, const char *text) __attribute__((warn_unused_result));

/* JSON Schema 2020-12 of the file, and the reference as Markdown, from the table of options. */
int options_write_schema(struct buf *out) __attribute__((warn_unused_result));
int options_write_reference(struct buf *out) __attribute__((warn_unused_result));

/* What needs a restart to change: NULL when `next` can replace `now` live, else a phrase naming the
 * setting ("store.url"). */
const char *snapshot_needs_restart(const struct snapshot *now, const struct snapshot *next);

#endif
