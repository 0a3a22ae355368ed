/* bench/script.h: what the upstream is asked to play, and the bytes of it.
 *
 * A request brings its own script at the start of any string, best of the first message, which every
 * gateway carries through (some drop unknown headers, others the `user` member):
 *
 *     "content":"bench n=20 g=50000 p=16. You are a helpful assistant."
 *
 * Absent values come from the command line. The bytes returned by script_event and script_whole
 * belong to this file and are good until the next call. */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRIPT_PAD_MAX = 65536 };

struct script {
    unsigned chunks;   /* n: content chunks in a stream */
    unsigned gap_us;   /* g: between them; 0: as fast as they go */
    unsigned pad;      /* p: bytes of text in a chunk besides its stamp */
    unsigned delay_us; /* d: thinking time before the first byte */
    unsigned body;     /* r: bytes of text in an answer that is not a stream */
    bool stream, wants_usage;
};

/* The ends of a request body: enough to find the members we obey, at a cost that does not grow with
 * the body. Filled by script_probe from spans in order. */
struct script_probe {
    char first[1024];
    char last[1024];
    size_t nfirst, nlast;
};

enum script_family {
    SCRIPT_CHAT,
    SCRIPT_MESSAGES,
    SCRIPT_RESPONSES,
    SCRIPT_EMBEDDINGS,
    SCRIPT_MODELS,
    SCRIPT_UNKNOWN,
};

enum script_family script_family_of(const char *request_line, size_t len);

void script_probe(struct script_probe *probe, const char *at, size_t len);
void script_read(struct script *script, const struct script_probe *probe);

/* A stream is steps: 0 the head with what opens the answer, then one a content chunk, the finish,
 * Chat's usage chunk if asked for, and the protocol's end. Each is one write. */
unsigned script_steps(enum script_family family, const struct script *script);
size_t script_event(enum script_family family, const struct script *script, unsigned step,
                    const char **bytes);
size_t script_whole(enum script_family family, const struct script *script, const char **bytes);

#endif
