/* usage.h: what an answer took, normalised from what each provider calls it (contract 2.5).
 *
 * prompt counts everything read, cached and cache-written tokens included; completion counts
 * everything written, reasoning included. No part is ever larger than its whole, and no count larger
 * than a few billions, whatever a provider says: sums and products of them with a price stay in 64
 * bits. What is no count (negative, a fraction, a text) counts as not said. */
#ifndef SLUICE_METER_USAGE_H
#define SLUICE_METER_USAGE_H

#include "sluice/base/span.h"

enum usage_source {                 /* in the order of their uncertainty */
                    USAGE_NONE,     /* nothing was said, nothing was delivered */
                    USAGE_PROVIDER, /* the provider's own numbers */
                    USAGE_COUNTED, /* ours, of the texts themselves, in the model's own vocabulary */
                    USAGE_ESTIMATED, /* from the length of what was delivered: the provider's numbers never came */
                    USAGE_SOURCES,
};

/* Tokens that are no text. */
struct usage_parts {
    uint64_t audio, image, video;
};

struct usage {
    uint64_t prompt, cached;
    uint64_t cache_write;    /* for five minutes and for an hour together */
    uint64_t cache_write_1h; /* of these */
    uint64_t completion, reasoning;
    struct usage_parts in, out;      /* of the prompt; of the completion */
    struct usage_parts cached_parts; /* of what was cached, where that is told */
    uint64_t searches, fetches;      /* the provider's own, on the web */
    uint64_t tool_calls;             /* of other tools that it runs, and charges for */
    uint64_t images;                 /* made */
    uint64_t characters;             /* of a text to speak */
    uint64_t audio_ms;               /* of sound to write down */
    uint64_t stated_pd;              /* what the provider says it charges; 0: it does not say */
    enum usage_source source;
};

/* Reads an OpenAI usage object, whole or as the last of several cumulative ones: what it states
 * replaces what was known. False when it states no count. `object` is valid JSON. */
bool usage_read_openai(struct usage *u, struct span object);

/* The same for embeddings, where the total alone tells, too. */
bool usage_read_embeddings(struct usage *u, struct span object);

/* The same for the Responses protocol, and for pictures and sound, which use its words. */
bool usage_read_responses(struct usage *u, struct span object);

/* Calls of tools the provider ran, from a response's `output`, a valid list: they are items there, and no
 * part of its usage. */
void usage_read_calls(struct usage *u, struct span output);

/* The same for Anthropic Messages, whose input_tokens count only what was neither read from nor
 * written to the cache. Of several in one stream each overwrites what it states and no more, so `u`
 * is what the earlier ones said (all zero at first). */
bool usage_read_messages(struct usage *u, struct span object);

/* Gemini's usageMetadata: thoughts are not among the candidates' tokens, what its tools read is not
 * among the prompt's. Replaces all but `searches`. */
bool usage_read_gemini(struct usage *u, struct span object);

/* Bedrock's, of Converse: inputTokens leave out what the cache had or got. */
bool usage_read_converse(struct usage *u, struct span object);

/* Seconds of sound, as a JSON number or the same in quotes, as a verbose transcription has it. */
bool usage_read_seconds(struct usage *u, struct span value);

/* What nobody counted: the prompt where nothing is known of it, the completion where more is known now. */
void usage_fill(struct usage *u, uint64_t prompt, uint64_t completion, enum usage_source source);

/* Prompt tokens the cache neither had nor got. */
static inline uint64_t usage_uncached(const struct usage *u)
{
    uint64_t kept = u->cached + u->cache_write;
    return u->prompt > kept ? u->prompt - kept : 0;
}

/* Prompt tokens that are text. */
static inline uint64_t usage_text(const struct usage *u)
{
    uint64_t parts = u->in.audio + u->in.image + u->in.video;
    return u->prompt > parts ? u->prompt - parts : 0;
}

/* Of two answers that became one; as uncertain as the less certain of them. */
void usage_add(struct usage *u, const struct usage *more);

const char *usage_source_name(enum usage_source s); /* "provider", … */

#endif
