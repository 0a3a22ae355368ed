/* reader.h: what is carried through one load: where we are, what was found, what must still be
 * resolved once everything has been read. */
#ifndef SLUICE_SRC_CONFIG_READER_H
#define SLUICE_SRC_CONFIG_READER_H

#include "finding.h"
#include "node.h"

#include "sluice/base/map.h"

/* Where a value came from that must not be shown as it is. */
struct origin {
    const void *at; /* the snapshot's field */
    enum {
        ORIGIN_EXPANDED, /* text is the scalar before expansion: ${…} */
        ORIGIN_ENV,      /* text is a variable's name */
        ORIGIN_FILE,     /* text is a path */
    } kind;
    const char *text;
};

/* The snapshot's private part: every string and array of it, and the way back to the references. */
struct config_text {
    struct arena arena;
    struct map origins; /* address of the field → struct origin */
    struct secret_link {
        struct secret *secret;
        struct secret_link *next;
    } *secrets;                             /* to be wiped with the snapshot */
    const void *demo_provider, *demo_model; /* added by us: not written back */
};

/* A name that stands for something which may be read later. */
struct reference {
    enum reference_kind { REF_PROVIDER, REF_MODEL, REF_ALIAS } kind;
    const char *name;
    const char *path;
    struct place place;
    unsigned *index; /* filled when resolved; NULL: it only has to exist */
    struct reference *next;
};

struct reader {
    struct snapshot *snap;
    struct arena *arena;   /* the snapshot's */
    struct arena *scratch; /* gone after the load */
    struct findings *findings;
    const char *file;      /* NULL: made from the environment */
    const char *directory; /* of the file, for relative paths */
    const char *listen;    /* from the command line: instead of all listeners */
    bool no_secrets, world_readable;
    struct reference *references, **references_end;
    char path[128];
    size_t path_len;
};

/* Both return the length to go back to. What does not fit is cut off: a path is for the eye. */
size_t reader_enter(struct reader *r, struct span key);
size_t reader_enter_item(struct reader *r, unsigned index);
void reader_leave(struct reader *r, size_t before);

/* At a node (NULL: no place), under the current path. */
void reader_error(struct reader *r, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_warning(struct reader *r, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At a key or an item. */
void reader_error_entry(struct reader *r, const struct node_entry *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* About a member, where it was written, else where its object was. */
void reader_error_in(struct reader *r, const struct node *n, const char *key, const char *text);
void reader_warning_in(struct reader *r, const struct node *n, const char *key, const char *text);
/* A member that names a file: made relative to the configuration file, as secrets are. */
void reader_file(struct reader *r, const struct node *n, const char *key, const char **path);

/* The expanded text of a scalar, living as long as the snapshot; NULL after an error was reported.
 * Control characters are refused: these texts end up in request heads, logs and answers. */
const char *reader_text(struct reader *r, const struct node *n);

/* A string, {env: X} or {file: p}; where it came from is remembered for `field`. False after an
 * error. With no_secrets references stay unresolved, and that is no error. */
enum secret_form { SECRET_LINE, SECRET_DOCUMENT };
bool reader_secret(struct reader *r, const struct node *n, const void *field, enum secret_form form,
                   struct secret *out);
/* The same from a variable that nobody wrote down. False when it is not set. */
bool reader_secret_from(struct reader *r, const char *variable, struct secret *out);
/* That `field` was written as this scalar, before expansion. */
void reader_remember_scalar(struct reader *r, const void *field, const struct node *n);
/* Wipes the secret when the snapshot goes. */
void reader_owns_secret(struct reader *r, struct secret *secret);

void reader_refer(struct reader *r, enum reference_kind kind, const struct node *at,
                  const char *name, unsigned *index);

const struct origin *origin_of(const struct snapshot *s, const void *field); /* or NULL */

#endif
