#include "sluice/catalog/slug.h"

#include "sluice/config/known_providers.h"

static struct span dashed(struct span name, uint8_t *room)
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (is_word)
            room[n++] = c;
        else if (n > 0 && room[n - 1] != '-')
            room[n++] = '-';
    }
    while (n > 0 && room[n - 1] == '-')
        n--;
    return span_of(room, n);
}

struct span slug_make(struct span name, struct arena *a)
{
    struct span variant = name, provider = span_cut(&variant, '/');
    provider = dashed(provider, arena_alloc(a, provider.len + 1));
    const char *known = known_provider_slug(provider);
    if (known != NULL)
        provider = span_text(known);
    if (variant.at == NULL)
        return provider;
    variant = dashed(variant, arena_alloc(a, variant.len + 1));
    return span_text(arena_printf(a, "%.*s/%.*s", SPAN_FMT(provider), SPAN_FMT(variant)));
}
