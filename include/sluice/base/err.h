/* err.h: what the operator reads when something of ours went wrong.
 *
 * Filled once, where the cause is known; printed once, at the top. `text` says what is wrong and
 * what to do; `file`, `line` and `column` (1-based, 0 when unknown) say where. Clients never see
 * these: they get a struct fault (codec/fault.h). */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

struct err {
    char file[256];
    unsigned line, column;
    char text[512];
};

/* The first error stays: a second set on the same err is ignored. Always returns -EINVAL, so that
 * `return err_set(why, …)` reads well. `why` may be NULL. */
int err_set(struct err *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
int err_set_at(struct err *why, const char *file, unsigned line, unsigned column,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

static inline int err_is_set(const struct err *why)
{
    return why->text[0] != '\0';
}

/* "file:line:col: error: text", leaving out what is unknown; truncated to `size`, always ended. */
void err_format(const struct err *why, char *out, unsigned long size);

#endif
