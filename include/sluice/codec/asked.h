/* asked.h: what a request asks of whoever answers it, as far as not everybody can do it: which
 * parameters it uses, how long an answer it wants, what its messages hold (contract 2.1).
 *
 * Read beside the one pass over the body; a parameter with the value everybody takes it to have anyway
 * (null, tool_choice "auto", response_format text) is not used. */
#ifndef SLUICE_CODEC_ASKED_H
#define SLUICE_CODEC_ASKED_H

#include "sluice/config/capabilities.h"
#include "sluice/format/json_splice.h"

struct asked {
    unsigned params;     /* bits of enum capability */
    uint64_t max_tokens; /* 0: it does not say */
    uint64_t answers; /* how many at once (`n` of Chat, Completions, images); 0: it does not say */
};

/* One member of the body, of a generation request of any protocol. Returns the parameters it uses. */
unsigned asked_note(struct asked *a, struct span key, struct span value, enum json_kind kind);

/* Most edits that asked_take_out makes. */
enum { ASKED_EDITS_MAX = 2 };

/* Takes those of a member's parameters out of the body that are in `unwanted`: the member, or what is
 * about them inside of one that says other things, too (text, output_config). */
void asked_take_out(struct span body, const struct json_member *m, unsigned unwanted,
                    struct json_splice *out);

/* Bits of enum modality, but for text: which kinds of parts the messages hold. Reads all of the body,
 * so ask only when somebody wants to know. */
unsigned asked_modalities(struct span body);

/* How much of the body is pictures and sound in base64, about. Looks into large bodies only. */
uint64_t asked_data_bytes(struct span body);

#endif
