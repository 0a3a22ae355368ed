/* history_caller.h: what `usage`, `logs` and `audit` share: a running gateway is asked for what it has kept
 * of calls. The key is $SLUICE_ADMIN_TOKEN, or $SLUICE_API_KEY of the scope admin. */
#ifndef SLUICE_APP_HISTORY_CALLER_H
#define SLUICE_APP_HISTORY_CALLER_H

#include "caller.h"

/* A target that is put together: "/v1/logs?model=a%20b". */
struct history_path {
    struct buf text;
    bool has_query;
};
void history_path_begin(struct history_path *p, const struct caller *c, const char *path);
/* Escaped; nothing when `value` is NULL. */
void history_path_add(struct history_path *p, const char *name, const char *value);
/* The verb's options of these names (ended by NULL) that were given. */
void history_path_add_options(struct history_path *p, const struct cli *cli,
                              const char *const *names);
void history_path_add_time(struct history_path *p, const char *name, uint64_t unix_ms);

/* The key for the calls. False: it is no good, which was said. */
bool history_key(const char **key);

/* False, and *code, when there was no 200; that was said. */
bool history_get(struct caller *c, const struct history_path *p, struct buf *body, int *code);
/* What went wrong, in words; returns the exit code. */
int history_tell(struct caller *c, enum call_end end, unsigned status, struct span body,
                 const struct err *why);

/* An option that says since when: "36h", "7d", "2026-01-31". False: it says neither, which was said. */
bool history_since(const struct cli *cli, const char *otherwise, uint64_t *out_unix_ms);

/* A string of the answer, decoded, cut where it does not fit; "" for what is none. */
const char *history_text(struct span value, char *out, size_t size);
/* A number of the answer; 0 for what is none. */
double history_number(struct span value);

#endif
