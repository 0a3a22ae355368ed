/* embeddings.h: vectors as numbers or as base64, whichever the client asked for.
 *
 * OpenAI's SDKs ask for base64 (little-endian 32-bit floats) on their own; some providers know lists
 * of numbers only, and some only base64. Where the answer has the other form it is written anew; all
 * else in it stays as it was (contract 2.17). */
#ifndef SLUICE_CODEC_EMBEDDINGS_H
#define SLUICE_CODEC_EMBEDDINGS_H

#include "sluice/base/buf.h"

/* Appends `answer` with its vectors in the form `request` asks for. False, and nothing appended, when
 * they are in that form already, or cannot be read: then the answer is good as it is. */
bool embeddings_recode(struct span request, struct span answer, struct buf *out);

#endif
