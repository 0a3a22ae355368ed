#include "sluice/base/secret.h"

#include <errno.h>
#include <stdlib.h>

int secret_init(struct secret *s, struct span value)
{
    *s = (struct secret){0};
    if (value.len == 0)
        return 0;
    s->hidden = malloc(value.len);
    if (s->hidden == NULL)
        return -ENOMEM;
    memcpy(s->hidden, value.at, value.len);
    s->hidden_len = value.len;
    return 0;
}

void secret_fini(struct secret *s)
{
    if (s->hidden != NULL)
        explicit_bzero(s->hidden, s->hidden_len); /* memset before free may be optimised away */
    free(s->hidden);
    *s = (struct secret){0};
}

struct span secret_reveal(const struct secret *s)
{
    return span_of(s->hidden, s->hidden_len);
}

static char *put_visible(char *out, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *out++ = from[i] > ' ' && from[i] < 0x7f ? (char)from[i] : '*';
    return out;
}

void secret_mask(const struct secret *s, char out[16])
{
    size_t len = s->hidden_len;
    size_t lead = len >= 12 ? 3 : len >= 8 ? 1 : 0;
    size_t trail = len >= 12 ? 4 : len >= 8 ? 2 : 0;
    static const char ellipsis[] = "\xe2\x80\xa6";
    out = put_visible(out, s->hidden, lead);
    memcpy(out, ellipsis, sizeof(ellipsis) - 1);
    out += sizeof(ellipsis) - 1;
    if (trail > 0)
        out = put_visible(out, s->hidden + (len - trail), trail);
    *out = '\0';
}

void secret_scrub(const struct secret *s, uint8_t *text, size_t len)
{
    if (s->hidden_len < 8 || len < s->hidden_len)
        return;
    const uint8_t *end = text + len;
    uint8_t *hit = memmem(text, len, s->hidden, s->hidden_len);
    while (hit != NULL) {
        /* look for the next one first: occurrences may overlap, and stars would hide it */
        uint8_t *next = memmem(hit + 1, (size_t)(end - hit - 1), s->hidden, s->hidden_len);
        size_t stars = s->hidden_len;
        if (next != NULL && (size_t)(next - hit) < stars)
            stars = (size_t)(next - hit);
        memset(hit, '*', stars);
        hit = next;
    }
}
