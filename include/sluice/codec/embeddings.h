/* embeddings.h: the answer to a request for embeddings, made what the client asked for.
 *
 * OpenAI's SDKs ask for base64 (little-endian 32-bit floats) on their own; some providers know lists
 * of numbers only, and some only base64. Where the answer has the other form its vectors are written
 * anew; all else in it stays as it was, and what the provider left out is added (contract 2.17). */
#ifndef SLUICE_CODEC_EMBEDDINGS_H
#define SLUICE_CODEC_EMBEDDINGS_H

#include "sluice/base/buf.h"
#include "sluice/codec/passing.h"

/* Has the first vector the other form? All vectors of an answer have the same. Looks no further than
 * to its first byte. */
bool embeddings_need_recoding(bool to_base64, struct span answer);

/* Appends `answer` with its vectors as base64, or as numbers. False, and nothing appended, when they
 * are that already, or cannot be read: then the answer is good as it is. A number takes some 50 ns. */
bool embeddings_recode(bool to_base64, struct span answer, struct buf *out);

/* What the meter must know; content is `data`, if that is a list. */
struct passing_event embeddings_look(struct span data);

/* Appends the members the answer lacks, each with a comma behind it. `model` is escaped on the way. */
int embeddings_write_missing(const struct passing_event *e, struct span id, struct span model,
                             struct buf *out) __attribute__((warn_unused_result));

/* The same for what its `usage`, a valid object, lacks: for behind that object's brace. */
int embeddings_write_missing_usage(struct span usage, struct buf *out)
    __attribute__((warn_unused_result));

#endif
