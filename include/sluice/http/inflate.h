/* inflate.h: a response body that came compressed although identity was asked for.
 *
 * The meter has to read what passes, so gzip and deflate (zlib) are undone as the bytes come, piece
 * by piece, in bounded memory. Other codings cannot be read here. */
#ifndef SLUICE_HTTP_INFLATE_H
#define SLUICE_HTTP_INFLATE_H

#include "sluice/base/span.h"

struct inflater;

/* For the Content-Encoding value: *out NULL for identity. -ENOTSUP for codings nobody here reads. */
int inflater_new(struct span coding, struct inflater **out) __attribute__((warn_unused_result));
void inflater_free(struct inflater *i); /* NULL is fine */

/* Decodes from `*in` (moving its start) into `out`; *n bytes were made. Call until `*in` is empty
 * and *n < size. -EPROTO for bytes that are not of that coding. */
int inflater_step(struct inflater *i, struct span *in, uint8_t *out, size_t size, size_t *n)
    __attribute__((warn_unused_result));

/* Did the compressed data end where it says it ends? */
bool inflater_is_complete(const struct inflater *i);

#endif
