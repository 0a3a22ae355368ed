/* arena.h: memory that lives exactly as long as one exchange.
 *
 * Allocation is a pointer bump; nothing is freed before arena_fini. Blocks come from malloc and
 * double from the caller's first block size up to 64 KiB. Used for what has a bounded, small size
 * (facts, names, plans); bodies live in a struct buf so that they can be released early. */
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include "sluice/base/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    uint8_t *next, *end;
    size_t grow; /* size of the next block */
};

/* `inline_block` (may be NULL) is memory of the caller's that is used first and never freed. */
void arena_init(struct arena *a, void *inline_block, size_t inline_size);
void arena_fini(struct arena *a);

/* Zeroed, aligned for any object. Never NULL: sizes are small and ours, so running out aborts. */
void *arena_alloc(struct arena *a, size_t size);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))
/* The same, but as it is: for what is written before it is read. */
void *arena_room(struct arena *a, size_t size);
#define ARENA_ROOM(a, type, n) ((type *)arena_room((a), sizeof(type) * (n)))

/* A copy of `s` in the arena; one NUL behind it, so that its text can be handed to C APIs. */
struct span arena_keep(struct arena *a, struct span s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For small fixed structs whose absence no code could survive: they abort instead of failing. */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *text);

#endif
