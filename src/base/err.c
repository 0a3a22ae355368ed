#include "sluice/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 5, 0))) static void fill(struct err *why, const char *file,
                                                       unsigned line, unsigned column,
                                                       const char *format, va_list args)
{
    if (why == NULL || err_is_set(why))
        return;
    (void)snprintf(why->file, sizeof(why->file), "%s", file == NULL ? "" : file);
    why->line = line;
    why->column = column;
    (void)vsnprintf(why->text, sizeof(why->text), format, args);
    if (!err_is_set(why))
        (void)snprintf(why->text, sizeof(why->text), "unknown error");
}

int err_set(struct err *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(why, NULL, 0, 0, format, args);
    va_end(args);
    return -EINVAL;
}

int err_set_at(struct err *why, const char *file, unsigned line, unsigned column,
               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(why, file, line, column, format, args);
    va_end(args);
    return -EINVAL;
}

void err_format(const struct err *why, char *out, unsigned long size)
{
    char where[sizeof(why->file) + 32] = "";
    if (why->file[0] != '\0' && why->line == 0)
        (void)snprintf(where, sizeof(where), "%s: ", why->file);
    else if (why->line != 0 && why->column == 0)
        (void)snprintf(where, sizeof(where), "%s:%u: ", why->file, why->line);
    else if (why->line != 0)
        (void)snprintf(where, sizeof(where), "%s:%u:%u: ", why->file, why->line, why->column);
    (void)snprintf(out, size, "%serror: %s", where, why->text);
}
