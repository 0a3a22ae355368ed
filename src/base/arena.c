#include "sluice/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN _Alignof(max_align_t)
#define BLOCK_MIN 1024
#define BLOCK_MAX (64 * 1024)

struct arena_block {
    struct arena_block *older;
    _Alignas(max_align_t) uint8_t bytes[];
};

static uint8_t *align_up(uint8_t *p)
{
    return p + (-(uintptr_t)p & (ALIGN - 1));
}

void arena_init(struct arena *a, void *inline_block, size_t inline_size)
{
    uint8_t *at = inline_block;
    *a = (struct arena){
        .next = at,
        .end = at == NULL ? NULL : at + inline_size,
        .grow = inline_size < BLOCK_MIN ? BLOCK_MIN : inline_size,
    };
}

void arena_fini(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *older = a->blocks->older;
        free(a->blocks);
        a->blocks = older;
    }
    a->next = a->end = NULL;
}

static void add_block(struct arena *a, size_t at_least)
{
    size_t size = a->grow > at_least ? a->grow : at_least;
    struct arena_block *b = malloc(sizeof(*b) + size);
    if (b == NULL)
        abort();
    b->older = a->blocks;
    a->blocks = b;
    a->next = b->bytes;
    a->end = b->bytes + size;
    if (a->grow < BLOCK_MAX)
        a->grow *= 2;
}

void *arena_room(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 4)
        abort(); /* a multiplication at the caller's wrapped */
    size_t padding = a->next == NULL ? 0 : (size_t)(align_up(a->next) - a->next);
    if (a->next == NULL || (size_t)(a->end - a->next) < padding + size) {
        add_block(a, size);
        padding = 0; /* blocks start aligned */
    }
    void *p = a->next + padding;
    a->next += padding + size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_room(a, size), 0, size);
}

struct span arena_keep(struct arena *a, struct span s)
{
    uint8_t *copy = arena_alloc(a, s.len + 1);
    if (s.len > 0)
        memcpy(copy, s.at, s.len);
    return span_of(copy, s.len);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        len = 0; /* an encoding error of the C library's: an empty text */
    char *text = arena_alloc(a, (size_t)len + 1);
    (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (p == NULL)
        abort();
    return p;
}

char *xstrdup(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        abort();
    return copy;
}
