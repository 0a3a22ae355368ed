/* compound.c: option types that are more than one word, or that stand for something else. */
#include "option.h"

#include "expand.h"
#include "object.h"

#include <errno.h>
#include <stdio.h>

/* ── text and lists of text ──────────────────────────────────────────────────────────────────── */

/* The text must live as long as the snapshot: reader_text's does, defaults are literals. */
static int parse_text(const struct option *o, struct span text, void *at, struct err *why)
{
    (void)o;
    if (text.len == 0)
        return err_set(why, "is empty (write a value, or leave the line out)");
    const char *kept = (const char *)text.at;
    memcpy(at, &kept, sizeof(kept));
    return 0;
}

static int write_text(const struct writer *w, const struct option *o, const void *at)
{
    (void)o;
    const char *text;
    memcpy(&text, at, sizeof(text));
    return text == NULL ? 0 : write_scalar(w->out, text);
}

static int schema_text(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"string\"");
}

const struct option_type type_text = {"text", parse_text, NULL, write_text, schema_text};

/* A list that is there and not wrongly empty; NULL after an error. */
static const struct node *list_of(struct reader *r, const struct option *o, const struct node *n)
{
    if (n->kind != NODE_LIST) {
        reader_error(r, n, "a list was expected (write [a, b], or one \"- a\" a line)");
        return NULL;
    }
    if (n->nentries == 0 && !o->may_be_empty) {
        reader_error(r, n,
                     "the list is empty, which would mean nothing at all "
                     "(name something, or leave the line out)");
        return NULL;
    }
    return n;
}

static void read_texts(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    struct text_list list = {0};
    if (list_of(r, o, n) == NULL)
        return;
    list.at = ARENA_ARRAY(r->arena, const char *, n->nentries + 1);
    for (unsigned i = 0; i < n->nentries; i++) {
        size_t before = reader_enter_item(r, i);
        const char *text = reader_text(r, n->entries[i].value);
        if (text != NULL)
            list.at[list.n++] = text;
        reader_leave(r, before);
    }
    memcpy(at, &list, sizeof(list));
}

static int write_texts(const struct writer *w, const struct option *o, const void *at)
{
    (void)o;
    struct text_list list;
    memcpy(&list, at, sizeof(list));
    if (list.n == 0)
        return 0;
    int rc = buf_add_text(w->out, "[");
    for (unsigned i = 0; rc == 0 && i < list.n; i++) {
        rc = buf_add_text(w->out, i == 0 ? "" : ", ");
        if (rc == 0)
            rc = write_scalar(w->out, list.at[i]);
    }
    return rc == 0 ? buf_add_text(w->out, "]") : rc;
}

static int schema_texts(const struct option *o, struct buf *out)
{
    return buf_addf(out, "\"type\":\"array\",\"items\":{\"type\":\"string\"}%s",
                    o->may_be_empty ? "" : ",\"minItems\":1");
}

const struct option_type type_texts = {"list of text", NULL, read_texts, write_texts, schema_texts};

/* ── things with names ───────────────────────────────────────────────────────────────────────── */

/* A list of structs of that size, which begin with their names, as a map. */
static int write_named(const struct writer *w, const struct option *o, const void *at, size_t size,
                       int (*write_one)(const struct writer *w, const struct option *o,
                                        const void *one))
{
    const uint8_t *list;
    unsigned count;
    memcpy(&list, at, sizeof(list));
    memcpy(&count, (const uint8_t *)at - o->offset + o->count_offset, sizeof(count));
    if (count == 0)
        return 0;
    int rc = buf_add_text(w->out, "{ ");
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        const char *name;
        memcpy(&name, list + i * size, sizeof(name));
        rc = buf_add_text(w->out, i == 0 ? "" : ", ");
        if (rc == 0)
            rc = write_scalar(w->out, name);
        if (rc == 0)
            rc = buf_add_text(w->out, ": ");
        if (rc == 0)
            rc = write_one(w, o, list + i * size);
    }
    return rc == 0 ? buf_add_text(w->out, " }") : rc;
}

/* ── credentials of callers' own ─────────────────────────────────────────────────────────────── */

static void read_own_credentials(struct reader *r, const struct option *o, const struct node *n,
                                 void *at)
{
    if (n->kind != NODE_MAP) {
        reader_error(r, n, "a map was expected (write { provider: { env: NAME } })");
        return;
    }
    struct byok_options *list = ARENA_ARRAY(r->arena, struct byok_options, n->nentries + 1);
    for (unsigned i = 0; i < n->nentries; i++) {
        const struct node_entry *e = &n->entries[i];
        size_t before = reader_enter(r, e->key);
        list[i].provider_name = (const char *)arena_keep(r->arena, e->key).at;
        reader_refer(r, REF_PROVIDER, e->value, list[i].provider_name, &list[i].provider);
        if (reader_secret(r, e->value, &list[i].credential, SECRET_DOCUMENT, &list[i].credential))
            reader_owns_secret(r, &list[i].credential);
        reader_leave(r, before);
    }
    memcpy(at, &list, sizeof(list));
    memcpy((uint8_t *)at - o->offset + o->count_offset, &n->nentries, sizeof(unsigned));
}

static int write_own_credential(const struct writer *w, const struct option *o, const void *at)
{
    return type_secret.write(w, o, &((const struct byok_options *)at)->credential);
}

static int write_own_credentials(const struct writer *w, const struct option *o, const void *at)
{
    return write_named(w, o, at, sizeof(struct byok_options), write_own_credential);
}

static int schema_own_credentials(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(
        out, "\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/$defs/secret\"}");
}

const struct option_type type_own_credentials = {"map of secrets", NULL, read_own_credentials,
                                                 write_own_credentials, schema_own_credentials};

/* ── extra request headers ───────────────────────────────────────────────────────────────────── */

static bool is_token(struct span name) /* RFC 9110 §5.6.2 */
{
    static const char also[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || strchr(also, c) == NULL))
            return false;
    }
    return name.len > 0;
}

/* Those the HTTP client writes itself; a second one could move the end of a request. */
static bool is_ours(struct span name)
{
    static const char *const ours[] = {"host",         "content-length", "transfer-encoding",
                                       "connection",   "keep-alive",     "te",
                                       "trailer",      "upgrade",        "expect",
                                       "content-type", "accept-encoding"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (span_ieq(name, span_text(ours[i])))
            return true;
    return false;
}

static void read_headers(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    if (n->kind != NODE_MAP) {
        reader_error(r, n, "a map was expected (write { name: value })");
        return;
    }
    struct header_option *list = ARENA_ARRAY(r->arena, struct header_option, n->nentries + 1);
    unsigned count = 0;
    for (unsigned i = 0; i < n->nentries; i++) {
        const struct node_entry *e = &n->entries[i];
        size_t before = reader_enter(r, e->key);
        const char *value = NULL;
        if (!is_token(e->key))
            reader_error_entry(r, e, "not the name of a header");
        else if (is_ours(e->key))
            reader_error_entry(r, e, "this header is set by sluice itself (leave it out)");
        else
            value = reader_text(r, e->value);
        if (value != NULL) {
            list[count].name = (const char *)arena_keep(r->arena, e->key).at;
            list[count].value = value;
            if (expand_wanted(e->value->text))
                reader_remember_scalar(r, &list[count].value, e->value);
            count++;
        }
        reader_leave(r, before);
    }
    memcpy(at, &list, sizeof(list));
    memcpy((uint8_t *)at - o->offset + o->count_offset, &count, sizeof(count));
}

/* Values may be credentials. What came from the environment is shown as its reference; of the rest,
 * names that sound like one are masked. */
static bool sounds_secret(struct span name)
{
    static const char *const parts[] = {"auth", "key", "token", "secret", "cookie", "password"};
    char lower[64];
    size_t n = name.len < sizeof(lower) ? name.len : sizeof(lower);
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] | 0x20 : name.at[i]);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (span_find(span_of(lower, n), span_text(parts[i])) != SIZE_MAX)
            return true;
    return false;
}

static int write_header_value(const struct writer *w, const struct option *o, const void *at)
{
    const struct header_option *h = at;
    (void)o;
    const struct origin *from = origin_of(w->snap, &h->value);
    if (w->everything)
        return write_digest(w, span_text(h->value));
    if (from != NULL)
        return write_origin(w, from);
    return sounds_secret(span_text(h->name)) ? buf_add_text(w->out, "\"…\"")
                                             : write_scalar(w->out, h->value);
}

static int write_headers(const struct writer *w, const struct option *o, const void *at)
{
    return write_named(w, o, at, sizeof(struct header_option), write_header_value);
}

static int schema_headers(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}");
}

const struct option_type type_headers = {"map of text", NULL, read_headers, write_headers,
                                         schema_headers};

/* The same with values that are nobody's to see, whatever the names sound like. */
static void read_secret_headers(struct reader *r, const struct option *o, const struct node *n,
                                void *at)
{
    if (n->kind != NODE_MAP) {
        reader_error(r, n, "a map was expected (write { name: { env: NAME } })");
        return;
    }
    struct secret_header *list = ARENA_ARRAY(r->arena, struct secret_header, n->nentries + 1);
    for (unsigned i = 0; i < n->nentries; i++) {
        const struct node_entry *e = &n->entries[i];
        size_t before = reader_enter(r, e->key);
        list[i].name = (const char *)arena_keep(r->arena, e->key).at;
        if (!is_token(e->key))
            reader_error_entry(r, e, "not the name of a header");
        else if (is_ours(e->key))
            reader_error_entry(r, e, "this header is set by sluice itself (leave it out)");
        else if (reader_secret(r, e->value, &list[i].value, SECRET_LINE, &list[i].value))
            reader_owns_secret(r, &list[i].value);
        reader_leave(r, before);
    }
    memcpy(at, &list, sizeof(list));
    memcpy((uint8_t *)at - o->offset + o->count_offset, &n->nentries, sizeof(unsigned));
}

static int write_secret_header(const struct writer *w, const struct option *o, const void *at)
{
    return type_secret.write(w, o, &((const struct secret_header *)at)->value);
}

static int write_secret_headers(const struct writer *w, const struct option *o, const void *at)
{
    return write_named(w, o, at, sizeof(struct secret_header), write_secret_header);
}

const struct option_type type_secret_headers = {"map of secrets", NULL, read_secret_headers,
                                                write_secret_headers, schema_own_credentials};

/* ── how a provider wants its key ────────────────────────────────────────────────────────────── */

/* none | bearer | { header: NAME }. The member is `auth`; auth_header lies in the same struct. */
static void read_provider_auth(struct reader *r, const struct option *o, const struct node *n,
                               void *at)
{
    struct provider_options *p = (struct provider_options *)((uint8_t *)at - o->offset);
    const struct node *header = node_get(n, "header");
    const char *text = NULL;
    if (header != NULL && n->nentries == 1) {
        text = reader_text(r, header);
        if (text != NULL && !is_token(span_text(text))) {
            reader_error(r, header, "\"%s\" is not the name of a header", text);
        } else if (text != NULL) {
            p->auth = AUTH_HEADER;
            p->auth_header = text;
        }
        return;
    }
    if (n->kind == NODE_SCALAR && (text = reader_text(r, n)) == NULL)
        return;
    if (text != NULL && strcmp(text, "none") == 0) {
        p->auth = AUTH_NONE;
        p->auth_header = NULL;
    } else if (text != NULL && strcmp(text, "bearer") == 0) {
        p->auth = AUTH_BEARER;
        p->auth_header = "Authorization";
    } else {
        reader_error(r, n, "not a way to sign in (write none, bearer or { header: x-api-key })");
    }
}

static int write_provider_auth(const struct writer *w, const struct option *o, const void *at)
{
    const struct provider_options *p =
        (const struct provider_options *)((const uint8_t *)at - o->offset);
    if (p->auth != AUTH_HEADER)
        return buf_add_text(w->out, p->auth == AUTH_NONE ? "none" : "bearer");
    int rc = buf_add_text(w->out, "{ header: ");
    if (rc == 0)
        rc = write_scalar(w->out, p->auth_header);
    return rc == 0 ? buf_add_text(w->out, " }") : rc;
}

static int schema_provider_auth(const struct option *o, struct buf *out)
{
    (void)o;
    return buf_add_text(out, "\"oneOf\":[{\"enum\":[\"none\",\"bearer\"]},{\"type\":\"object\","
                             "\"properties\":{\"header\":{\"type\":\"string\"}},"
                             "\"required\":[\"header\"],\"additionalProperties\":false}]");
}

const struct option_type type_provider_auth = {"`none`, `bearer` or `{ header: NAME }`", NULL,
                                               read_provider_auth, write_provider_auth,
                                               schema_provider_auth};

/* ── names of other things ───────────────────────────────────────────────────────────────────── */

static void read_provider_name(struct reader *r, const struct option *o, const struct node *n,
                               void *at)
{
    (void)o;
    const char *name = reader_text(r, n);
    if (name != NULL)
        reader_refer(r, REF_PROVIDER, n, name, at);
}

static int write_provider_name(const struct writer *w, const struct option *o, const void *at)
{
    (void)o;
    unsigned index;
    memcpy(&index, at, sizeof(index));
    return index < w->snap->nproviders ? write_scalar(w->out, w->snap->providers[index].name) : 0;
}

const struct option_type type_provider_name = {"name of a provider", NULL, read_provider_name,
                                               write_provider_name, schema_text};

static void read_alias(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    if (list_of(r, o, n) == NULL)
        return;
    unsigned *list = ARENA_ARRAY(r->arena, unsigned, n->nentries);
    for (unsigned i = 0; i < n->nentries; i++) {
        size_t before = reader_enter_item(r, i);
        const char *name = reader_text(r, n->entries[i].value);
        if (name != NULL)
            reader_refer(r, REF_ALIAS, n->entries[i].value, name, &list[i]);
        reader_leave(r, before);
    }
    memcpy(at, &list, sizeof(list));
    memcpy((uint8_t *)at - o->offset + o->count_offset, &n->nentries, sizeof(n->nentries));
}

static int write_alias(const struct writer *w, const struct option *o, const void *at)
{
    const unsigned *list;
    unsigned count;
    memcpy(&list, at, sizeof(list));
    memcpy(&count, (const uint8_t *)at - o->offset + o->count_offset, sizeof(count));
    if (count == 0)
        return 0;
    int rc = buf_add_text(w->out, "[");
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        rc = buf_add_text(w->out, i == 0 ? "" : ", ");
        if (rc == 0)
            rc = write_scalar(w->out, w->snap->models[list[i]].id);
    }
    return rc == 0 ? buf_add_text(w->out, "]") : rc;
}

const struct option_type type_alias = {"list of models", NULL, read_alias, write_alias,
                                       schema_texts};

/* ── the short form of listeners ─────────────────────────────────────────────────────────────── */

/* Fills the same members as `listeners`, with one listener that does everything a client needs. */
static void read_listen(struct reader *r, const struct option *o, const struct node *n, void *at)
{
    (void)o;
    (void)at;
    const char *text = reader_text(r, n);
    if (text != NULL)
        snapshot_listen_on(r, n, text);
}

static int write_listen(const struct writer *w, const struct option *o, const void *at)
{
    (void)w;
    (void)o;
    (void)at;
    return 0; /* written as `listeners` */
}

const struct option_type type_listen = {"address", NULL, read_listen, write_listen, schema_text};
