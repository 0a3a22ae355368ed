/* option.h: the table of options: what may stand in a configuration, once.
 *
 * An object is a map of the file and a struct of the snapshot; an option is a key of the one and a
 * member of the other. Reading, defaults, suggestions, the JSON Schema, the reference page, writing
 * a configuration back, its hash and what needs a restart all walk the same rows. */
#ifndef SLUICE_SRC_CONFIG_OPTION_H
#define SLUICE_SRC_CONFIG_OPTION_H

#include "reader.h"
#include "words.h"

#include <stddef.h>

struct option;
struct object;

struct writer {
    const struct snapshot *snap;
    struct buf *out;
    bool everything; /* defaults too, secrets as digests: what the hash is taken over */
    bool is_block;   /* lists and maps one item a line; inside those everything is flow */
};

/* What the value of an option looks like. `at` is the member itself. */
struct option_type {
    const char *name; /* for the reference page */
    /* A scalar type has parse, any other read. Default values go through parse. */
    int (*parse)(const struct option *o, struct span text, void *at, struct err *why);
    void (*read)(struct reader *r, const struct option *o, const struct node *n, void *at);
    /* As flow YAML; writes nothing when there is nothing to say. 0 or -ENOMEM. */
    int (*write)(const struct writer *w, const struct option *o, const void *at);
    int (*schema)(const struct option *o, struct buf *out);
};

extern const struct option_type type_bool, type_fact, type_number, type_duration, type_size,
    type_money, type_dollars, type_share, type_percent, type_patience, type_time, type_mode,
    type_word, type_words, type_text, type_texts, type_secret, type_secret_document,
    type_own_credentials, type_master_keys, type_key_secret, type_key_hash, type_headers,
    type_secret_headers, type_provider_auth, type_provider_name, type_alias, type_listen,
    type_group, type_list, type_map;

struct option {
    const char *name;
    const struct option_type *type;
    size_t offset, size;         /* the member */
    const char *fallback;        /* the default, as it would be written */
    uint64_t min, max;           /* max 0: no bounds but the member's own */
    const struct word *words;    /* ended by a NULL text */
    const struct object *object; /* of a group, a list's items, a map's values */
    size_t count_offset;         /* of a list or map: the `unsigned` beside the pointer */
    bool required;
    bool may_be_empty;   /* a list; otherwise an empty one is an error, for it could be misread */
    bool inert;          /* read and checked, but nothing here uses it yet */
    unsigned known_bit;  /* in the object's `known`: was it given? 0: nobody asks */
    const char *restart; /* what to call it when a change needs a restart; NULL: changes live */
    const char *doc;
};

struct object {
    const char *title, *doc; /* a section of the reference page */
    const struct option *rows;
    unsigned nrows;
    size_t size;
    const struct object *shorthand; /* whose keys are welcome here too; `finish` reads them */
    size_t known_offset;            /* of the `unsigned` with the known_bits */
    /* After the defaults and before the rows: defaults that depend on the name (element of a map)
     * or on another key. `n` may be NULL. */
    void (*begin)(const struct node *n, void *at);
    /* After the rows, whether or not the object was in the file (`n` NULL). */
    void (*finish)(struct reader *r, const struct node *n, void *at);
};

extern const struct object root_object, listener_object, provider_object, model_object,
    endpoint_object, provider_tls, key_object, account_object, plan_object, routing_object;

void object_defaults(const struct object *o, void *at);
/* `n` NULL or null: nothing was written, the defaults stay. */
void object_read(struct reader *r, const struct object *o, const struct node *n, void *at);
/* The same for an object whose keys stand among those of another, `owner`: it looks for no strangers, and
 * a key that both have is the owner's. */
void object_read_shared(struct reader *r, const struct object *o, const struct object *owner,
                        const struct node *n, void *at);
bool object_has_row(const struct object *o, const char *name);

/* Unsigned members of 1, 2, 4 or 8 bytes. */
uint64_t member_get(const void *at, size_t size);
void member_set(void *at, size_t size, uint64_t value);

/* x- keys are the user's own, wherever keys are options and not names. */
bool key_is_ignored(struct span key);

/* write.c: "{ a: b }", or nothing when `at` equals `baseline` (which may be NULL). */
int object_write(const struct writer *w, const struct object *o, const void *at,
                 const void *baseline);
/* A fresh element with its defaults, to compare with; free() it. */
void *object_baseline(const struct object *o, const char *key);
/* A scalar with quotes where YAML, or a reader of YAML 1.1, needs them. */
int write_scalar(struct buf *out, const char *text);

/* secret_types.c: the reference a value came by, instead of the value. */
int write_origin(const struct writer *w, const struct origin *from);
/* For the configuration's hash, which is public: the digests of all secrets go into one more digest
 * together, so that a weak one cannot be guessed without knowing the strong ones. */
int write_digest(const struct writer *w, struct span value);

/* reference.c */
int object_schema(const struct object *o, struct buf *out);

#endif
