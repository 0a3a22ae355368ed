/* secret_types.c: options that nobody may read back, and the references they came by. */
#include "option.h"

#include "sluice/base/seal.h"

static void read_secret(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    (void)o;
    if (reader_secret(r, n, at, SECRET_LINE, at))
        reader_owns_secret(r, at);
}

static void read_secret_document(struct reader *r, const struct option *o, const struct node *n,
                                 void *at)
{
    (void)o;
    if (reader_secret(r, n, at, SECRET_DOCUMENT, at))
        reader_owns_secret(r, at);
}

int write_origin(const struct writer *w, const struct origin *from)
{
    if (from->kind == ORIGIN_EXPANDED) { /* as it stood there: not escaped, so that it expands */
        int rc = buf_add_text(w->out, "\"");
        if (rc == 0)
            rc = buf_add_json(w->out, span_text(from->text));
        return rc == 0 ? buf_add_text(w->out, "\"") : rc;
    }
    int rc = buf_add_text(w->out, from->kind == ORIGIN_ENV ? "{ env: " : "{ file: ");
    if (rc == 0)
        rc = write_scalar(w->out, from->text);
    return rc == 0 ? buf_add_text(w->out, " }") : rc;
}

int write_digest(const struct writer *w, struct span value)
{
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    digest_sha256(value, digest);
    digest_hex(digest, SHA256_BYTES, hex);
    return buf_add_text(w->out, hex);
}

static int write_secret(const struct writer *w, const struct option *o, const void *at)
{
    (void)o;
    const struct origin *from = origin_of(w->snap, at);
    const struct secret *secret = at;
    if (w->everything)
        return write_digest(w, secret_reveal(secret));
    if (from != NULL)
        return write_origin(w, from);
    if (!secret_is_set(secret))
        return 0;
    char masked[16];
    secret_mask(secret, masked);
    return write_scalar(w->out, masked);
}

static int schema_secret(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"$ref\":\"#/$defs/secret\"");
}

const struct option_type type_secret = {"secret", NULL, read_secret, write_secret, schema_secret};
const struct option_type type_secret_document = {"secret", NULL, read_secret_document, write_secret,
                                                 schema_secret};

/* A client's key: only its digest is kept. */
static void read_key_secret(struct reader *r, const struct option *o, const struct node *n,
                            void *at)
{
    (void)o;
    struct secret secret = {0};
    if (reader_secret(r, n, at, SECRET_LINE, &secret) &&
        secret_is_set(&secret)) /* not with no_secrets */
        digest_sha256(secret_reveal(&secret), at);
    secret_fini(&secret);
}

static int write_key_secret(const struct writer *w, const struct option *o, const void *at)
{
    (void)o;
    const struct origin *from = w->everything ? NULL : origin_of(w->snap, at);
    return from == NULL ? 0 : write_origin(w, from);
}

const struct option_type type_key_secret = {"secret", NULL, read_key_secret, write_key_secret,
                                            schema_secret};

static int parse_key_hash(const struct option *o, struct span text, void *at, struct err *why)
{
    (void)o;
    struct span prefix = SPAN_LIT("sha256:");
    if (!span_starts(text, prefix) || !digest_unhex(span_skip(text, prefix.len), at, SHA256_BYTES))
        return err_set(why, "not a hash (write \"sha256:\" and 64 hexadecimal digits, as "
                            "`sluice keys hash` prints them)");
    return 0;
}

static int write_key_hash(const struct writer *w, const struct option *o, const void *at)
{
    (void)o;
    if (!w->everything && origin_of(w->snap, at) != NULL)
        return 0; /* the reference says it already */
    char hex[2 * SHA256_BYTES + 1];
    digest_hex(at, SHA256_BYTES, hex);
    return buf_addf(w->out, "\"sha256:%s\"", hex);
}

static int schema_key_hash(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"string\",\"pattern\":\"^sha256:[0-9a-fA-F]{64}$\"");
}

const struct option_type type_key_hash = {"hash", parse_key_hash, NULL, write_key_hash,
                                          schema_key_hash};

/* ── master keys ─────────────────────────────────────────────────────────────────────────────── */

static void read_master_key(struct reader *r, const struct node *n, struct secret *at)
{
    struct secret text = {0};
    uint8_t key[SEAL_KEY_BYTES];
    bool is_there = reader_secret(r, n, at, SECRET_LINE, &text) && secret_is_set(&text);
    if (is_there && !seal_read_master(secret_reveal(&text), key))
        reader_error(r, n, "not a key of 32 bytes (make one with `openssl rand -base64 32`)");
    else if (is_there && secret_init(at, span_of(key, sizeof key)) < 0)
        reader_error(r, n, "out of memory");
    reader_owns_secret(r, at);
    explicit_bzero(key, sizeof key);
    secret_fini(&text);
}

static void read_master_keys(struct reader *r, const struct option *o, const struct node *n,
                             void *at)
{
    struct master_keys *keys = at;
    (void)o;
    if (n->kind != NODE_LIST) {
        keys->n = 1;
        read_master_key(r, n, &keys->at[0]);
        return;
    }
    if (n->nentries == 0 || n->nentries > MASTER_KEYS_MAX) {
        reader_error(r, n, "1 to %d keys were expected, the newest first", MASTER_KEYS_MAX);
        return;
    }
    keys->n = n->nentries;
    for (unsigned i = 0; i < n->nentries; i++) {
        size_t before = reader_enter_item(r, i);
        read_master_key(r, n->entries[i].value, &keys->at[i]);
        reader_leave(r, before);
    }
}

/* Not even masked: of 32 bytes nothing is for the eye. */
static int write_master_key(const struct writer *w, const struct secret *key)
{
    const struct origin *from = origin_of(w->snap, key);
    if (w->everything)
        return write_digest(w, secret_reveal(key));
    return from != NULL ? write_origin(w, from) : buf_add_text(w->out, "\"…\"");
}

static int write_master_keys(const struct writer *w, const struct option *o, const void *at)
{
    const struct master_keys *keys = at;
    (void)o;
    if (keys->n == 0)
        return 0;
    int rc = buf_add_text(w->out, keys->n > 1 ? "[" : "");
    for (unsigned i = 0; rc == 0 && i < keys->n; i++) {
        rc = buf_add_text(w->out, i > 0 ? ", " : "");
        if (rc == 0)
            rc = write_master_key(w, &keys->at[i]);
    }
    return rc == 0 ? buf_add_text(w->out, keys->n > 1 ? "]" : "") : rc;
}

static int schema_master_keys(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_addf(out,
                    "\"anyOf\":[{\"$ref\":\"#/$defs/secret\"},{\"type\":\"array\",\"minItems\":1,"
                    "\"maxItems\":%d,\"items\":{\"$ref\":\"#/$defs/secret\"}}]",
                    MASTER_KEYS_MAX);
}

const struct option_type type_master_keys = {"secret, or list of secrets", NULL, read_master_keys,
                                             write_master_keys, schema_master_keys};
