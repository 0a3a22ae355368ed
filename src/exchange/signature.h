/* signature.h: the field lines that sign a request to AWS. */
#ifndef SLUICE_EXCHANGE_SIGNATURE_H
#define SLUICE_EXCHANGE_SIGNATURE_H

#include "sluice/config/snapshot.h"

/* Are requests to this provider signed? */
bool signature_is_due(const struct provider_options *p);

/* For a POST of JSON to this path behind the provider's prefix. A credential, good until the next
 * call; empty when there was no memory, and then AWS refuses the request. */
struct span signature_lines(const struct provider_options *p, struct span path,
                            const uint8_t body_sha256[32]);
void signature_free_buffer(void); /* at exit */

#endif
