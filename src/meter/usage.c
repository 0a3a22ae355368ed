#include "sluice/meter/usage.h"

#include "usage_fit.h"

/* What is left of `*whole` after the part, which is cut to it. */
static void cut(uint64_t *part, uint64_t *whole)
{
    if (*part > *whole)
        *part = *whole;
    *whole -= *part;
}

static void cut_parts(struct usage_parts *p, uint64_t whole)
{
    cut(&p->audio, &whole);
    cut(&p->image, &whole);
    cut(&p->video, &whole);
}

static void cut_to(uint64_t *part, uint64_t most)
{
    if (*part > most)
        *part = most;
}

void usage_fit(struct usage *u)
{
    uint64_t prompt = u->prompt, completion = u->completion;
    cut(&u->cached, &prompt);
    cut(&u->cache_write, &prompt);
    cut_to(&u->cache_write_1h, u->cache_write);
    cut(&u->reasoning, &completion);
    cut_parts(&u->in, u->prompt);
    cut_parts(&u->out, completion);
    cut_parts(&u->cached_parts, u->cached);
    cut_to(&u->cached_parts.audio, u->in.audio);
    cut_to(&u->cached_parts.image, u->in.image);
    cut_to(&u->cached_parts.video, u->in.video);
    u->source = USAGE_PROVIDER;
}

void usage_fill(struct usage *u, uint64_t prompt, uint64_t completion, enum usage_source source)
{
    if (u->prompt == 0)
        u->prompt = prompt;
    if (u->completion < completion)
        u->completion = completion;
    u->source = source;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static void add_parts(struct usage_parts *p, const struct usage_parts *more)
{
    p->audio = plus(p->audio, more->audio);
    p->image = plus(p->image, more->image);
    p->video = plus(p->video, more->video);
}

void usage_add(struct usage *u, const struct usage *more)
{
    u->prompt = plus(u->prompt, more->prompt);
    u->cached = plus(u->cached, more->cached);
    u->cache_write = plus(u->cache_write, more->cache_write);
    u->cache_write_1h = plus(u->cache_write_1h, more->cache_write_1h);
    u->completion = plus(u->completion, more->completion);
    u->reasoning = plus(u->reasoning, more->reasoning);
    add_parts(&u->in, &more->in);
    add_parts(&u->out, &more->out);
    add_parts(&u->cached_parts, &more->cached_parts);
    u->searches = plus(u->searches, more->searches);
    u->fetches = plus(u->fetches, more->fetches);
    u->tool_calls = plus(u->tool_calls, more->tool_calls);
    u->images = plus(u->images, more->images);
    u->characters = plus(u->characters, more->characters);
    u->audio_ms = plus(u->audio_ms, more->audio_ms);
    u->stated_pd = plus(u->stated_pd, more->stated_pd);
    if (more->source > u->source)
        u->source = more->source;
}

const char *usage_source_name(enum usage_source s)
{
    static const char *const names[] = {"none", "provider", "counted", "estimated"};
    return names[s];
}
