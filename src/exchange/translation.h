/* translation.h: a client's request on its way into another protocol; or in its own, spliced into one
 * piece, where it has to be signed.
 *
 * Reading and writing a megabyte takes two milliseconds, signing it more, and pictures make requests
 * large, so what is not small is done on another thread. What the request names by URL is fetched in
 * between, for upstreams that take data only (remote_media.h). A translation owns all it makes; the body it reads stays the
 * exchange's, unless the exchange ends first: then it goes with the translation. */
#ifndef SLUICE_EXCHANGE_TRANSLATION_H
#define SLUICE_EXCHANGE_TRANSLATION_H

#include "sluice/codec/turn_codec.h"

struct attempt;
struct translation;

/* Begins one as a->translation; attempt_translated follows, within this call or later. */
void translation_start(struct attempt *a);

/* Ends it, wherever it is; NULL is fine. */
void translation_end(struct translation *t);

/* What came of it: NULL, or why the request cannot be translated. */
const struct fault *translation_fault(const struct translation *t);
/* Might another provider take what this one could not be told? One may read URLs itself. */
bool translation_may_do_elsewhere(const struct translation *t);
struct span translation_wire(const struct translation *t);
const uint8_t *translation_sha256(
    const struct translation *t); /* of the wire, where it is signed */
uint64_t translation_prompt_tokens(const struct translation *t); /* about; 0: nobody asked */
const struct turn_request *translation_request(const struct translation *t);
const struct turn_notes *translation_notes(const struct translation *t);

#endif
