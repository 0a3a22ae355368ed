/* What many connections share: certificates and key, trust, resumable sessions. */
#include "sluice/net/tls.h"

#include "tls_priv.h"

#include "sluice/base/arena.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define SESSIONS_MAX 64         /* names per context: endpoints come from the configuration */
#define TICKET_LIFETIME_S 86400 /* mbedTLS changes the ticket key at this pace */

static const char *const alpn[] = {"http/1.1", NULL};

/* AES-GCM first, for the other end has hardware for it; to this library ChaCha20 costs the same.
 * Forward secrecy only. */
static const int suites[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

/* A client offers a key share for the first: P-256 costs this library less than X25519. */
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

/* ── the system's trust ──────────────────────────────────────────────────────────────────────── */

/* Shared by all contexts that name no file of their own; read once, by whichever thread is first,
 * and kept until the last such context goes. */
static struct {
    pthread_mutex_t lock;
    bool loaded; /* set last, read without the lock */
    unsigned users;
    mbedtls_x509_crt chain;
} trust = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *system_bundle(void)
{
    static const char *const usual[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",             /* SUSE */
        "/etc/ssl/cert.pem",                  /* Alpine, BSDs */
    };
    const char *given = getenv("SSL_CERT_FILE");
    if (given != NULL && given[0] != '\0')
        return given;
    for (unsigned i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (access(usual[i], R_OK) == 0)
            return usual[i];
    return NULL;
}

bool tls_context_is_loaded(const struct tls_context *ctx)
{
    return !ctx->trusts_system || __atomic_load_n(&trust.loaded, __ATOMIC_ACQUIRE);
}

void tls_context_load(struct tls_context *ctx)
{
    if (tls_context_is_loaded(ctx))
        return;
    pthread_mutex_lock(&trust.lock);
    const char *bundle = system_bundle();
    /* A bundle holds a few certificates this library cannot read; without them all the same. With
     * none at all every handshake fails, naming the cause: an untrusted authority. */
    if (!trust.loaded && bundle != NULL)
        mbedtls_x509_crt_parse_file(&trust.chain, bundle);
    __atomic_store_n(&trust.loaded, true, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&trust.lock);
}

static void trust_ref(void)
{
    if (trust.users++ == 0)
        mbedtls_x509_crt_init(&trust.chain);
}

static void trust_unref(void)
{
    if (--trust.users > 0)
        return;
    mbedtls_x509_crt_free(&trust.chain);
    trust.loaded = false;
}

/* ── sessions ────────────────────────────────────────────────────────────────────────────────── */

struct tls_session {
    struct tls_session *next;
    char *name;
    mbedtls_ssl_session session;
};

static void session_free(struct tls_session *s)
{
    mbedtls_ssl_session_free(&s->session);
    free(s->name);
    free(s);
}

/* Takes the one for `name` off the list, or the last of a full list, or makes one. */
static struct tls_session *session_for(struct tls_context *ctx, const char *name)
{
    struct tls_session **at = &ctx->sessions, *s;
    unsigned n = 0;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        if (++n == SESSIONS_MAX && (*at)->next == NULL)
            break;
        at = &(*at)->next;
    }
    s = *at;
    if (s != NULL) {
        *at = s->next;
        session_free(s);
    }
    s = xcalloc(1, sizeof *s);
    s->name = xstrdup(name);
    mbedtls_ssl_session_init(&s->session);
    return s;
}

void tls_session_offer(struct tls *t)
{
    struct tls_session *s = t->ctx->sessions;
    while (s != NULL && strcmp(s->name, t->server_name) != 0)
        s = s->next;
    if (s != NULL)
        (void)mbedtls_ssl_set_session(&t->ssl, &s->session); /* refused: a full handshake */
}

void tls_session_keep(struct tls *t)
{
    struct tls_session *s = session_for(t->ctx, t->server_name);
    if (mbedtls_ssl_get_session(&t->ssl, &s->session) != 0) {
        session_free(s);
        return;
    }
    s->next = t->ctx->sessions;
    t->ctx->sessions = s;
}

/* ── contexts ────────────────────────────────────────────────────────────────────────────────── */

static void start_crypto(void)
{
    psa_status_t rc = psa_crypto_init();
    if (rc != PSA_SUCCESS)
        abort(); /* no entropy: nothing secret could be made */
}

static struct tls_context *context_new(int endpoint)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_crypto);
    struct tls_context *ctx = xcalloc(1, sizeof *ctx);
    ctx->refs = 1;
    ctx->is_server = endpoint == MBEDTLS_SSL_IS_SERVER;
    mbedtls_ssl_config_init(&ctx->conf);
    mbedtls_x509_crt_init(&ctx->chain);
    mbedtls_pk_init(&ctx->key);
    mbedtls_ssl_ticket_init(&ctx->tickets);
    if (mbedtls_ssl_config_defaults(&ctx->conf, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        abort(); /* out of memory at start-up */
    mbedtls_ssl_conf_rng(&ctx->conf, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_tls_version(&ctx->conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(&ctx->conf, suites);
    mbedtls_ssl_conf_groups(&ctx->conf, groups);
    /* The library takes a list it never writes to without saying const. */
    (void)mbedtls_ssl_conf_alpn_protocols(&ctx->conf, (const char **)(uintptr_t)alpn);
    return ctx;
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
    ctx->refs++;
    return ctx;
}

void tls_context_unref(struct tls_context *ctx)
{
    if (ctx == NULL || --ctx->refs > 0)
        return;
    while (ctx->sessions != NULL) {
        struct tls_session *s = ctx->sessions;
        ctx->sessions = s->next;
        session_free(s);
    }
    mbedtls_ssl_config_free(&ctx->conf);
    mbedtls_x509_crt_free(&ctx->chain);
    mbedtls_pk_free(&ctx->key);
    mbedtls_ssl_ticket_free(&ctx->tickets);
    if (ctx->trusts_system)
        trust_unref();
    buf_fini(&ctx->output);
    free(ctx);
}

static int refuse(struct err *why, const char *file, const char *what, int rc)
{
    char text[128] = "";
    if (access(file, R_OK) != 0)
        return err_set_at(why, file, 0, 0, "cannot read the %s: %s", what, strerror(errno));
    mbedtls_strerror(rc, text, sizeof text);
    return err_set_at(why, file, 0, 0, "this is not a usable PEM %s (%s)", what, text);
}

static int load_identity(struct tls_context *ctx, const struct tls_server_config *c,
                         struct err *why)
{
    int rc = mbedtls_x509_crt_parse_file(&ctx->chain, c->cert_file);
    if (rc != 0)
        return refuse(why, c->cert_file, "certificate", rc);
    rc = mbedtls_pk_parse_keyfile(&ctx->key, c->key_file, NULL, mbedtls_psa_get_random,
                                  MBEDTLS_PSA_RANDOM_STATE);
    if (rc != 0)
        return refuse(why, c->key_file, "private key", rc);
    if (mbedtls_pk_check_pair(&ctx->chain.pk, &ctx->key, mbedtls_psa_get_random,
                              MBEDTLS_PSA_RANDOM_STATE) != 0)
        return err_set_at(why, c->key_file, 0, 0, "this key does not belong to the certificate %s",
                          c->cert_file);
    if (mbedtls_ssl_conf_own_cert(&ctx->conf, &ctx->chain, &ctx->key) != 0)
        return err_set(why, "out of memory");
    return 0;
}

struct tls_context *tls_context_server(const struct tls_server_config *c, struct err *why)
{
    struct tls_context *ctx = context_new(MBEDTLS_SSL_IS_SERVER);
    if (load_identity(ctx, c, why) < 0)
        goto fail;
    if (mbedtls_ssl_ticket_setup(&ctx->tickets, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE,
                                 MBEDTLS_CIPHER_AES_256_GCM, TICKET_LIFETIME_S) != 0) {
        err_set(why, "cannot make session tickets");
        goto fail;
    }
    mbedtls_ssl_conf_session_tickets_cb(&ctx->conf, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &ctx->tickets);
    if (c->tls13_min)
        mbedtls_ssl_conf_min_tls_version(&ctx->conf, MBEDTLS_SSL_VERSION_TLS1_3);
    return ctx;
fail:
    tls_context_unref(ctx);
    return NULL;
}

static int load_trust(struct tls_context *ctx, const char *ca_file, struct err *why)
{
    if (ca_file == NULL) {
        if (system_bundle() == NULL)
            return err_set(why, "the system has no certificate authorities (install "
                                "ca-certificates, or set SSL_CERT_FILE)");
        ctx->trusts_system = true;
        trust_ref();
        mbedtls_ssl_conf_ca_chain(&ctx->conf, &trust.chain, NULL);
        return 0;
    }
    int rc = mbedtls_x509_crt_parse_file(&ctx->chain, ca_file);
    if (rc != 0)
        return refuse(why, ca_file, "certificate", rc);
    mbedtls_ssl_conf_ca_chain(&ctx->conf, &ctx->chain, NULL);
    return 0;
}

struct tls_context *tls_context_client(const struct tls_client_config *c, struct err *why)
{
    struct tls_context *ctx = context_new(MBEDTLS_SSL_IS_CLIENT);
    ctx->verifies = !c->insecure;
    mbedtls_ssl_conf_authmode(&ctx->conf, ctx->verifies ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                        : MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        &ctx->conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    if (ctx->verifies && load_trust(ctx, c->ca_file, why) < 0) {
        tls_context_unref(ctx);
        return NULL;
    }
    return ctx;
}
