/* raw_text.h: questions to the inside of a JSON string as it was written. */
#ifndef SLUICE_CODEC_RAW_TEXT_H
#define SLUICE_CODEC_RAW_TEXT_H

#include "sluice/base/span.h"

/* Unicode code points of the text it stands for, which is what annotations count in. Half a surrogate
 * pair that ends a piece counts with the half that begins the next one, once. */
size_t raw_text_code_points(struct span raw);

/* Nothing but white space, escaped or not? */
bool raw_text_is_blank(struct span raw);

/* Bytes of the white space it ends in. */
size_t raw_text_blank_tail(struct span raw);

/* Takes the next code point off, however it is written; half a pair that stands alone is one, too.
 * False at the end. */
bool raw_text_next(struct span *raw, uint32_t *code);

#endif
