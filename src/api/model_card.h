/* model_card.h: what is told about one model, in one shape that OpenAI's and Anthropic's readers both
 * understand (contract META-1). */
#ifndef SLUICE_SRC_API_MODEL_CARD_H
#define SLUICE_SRC_API_MODEL_CARD_H

#include "sluice/catalog/catalog.h"
#include "sluice/format/json_out.h"

/* What may be known of it: of an alias, what its first model is able to do. Of a model of a provider that
 * offers everything nothing is: `model` is NULL and `group` empty. */
struct model_card {
    struct span id;
    const char *owner; /* the provider asked first */
    uint64_t created;  /* Unix seconds */
    const struct model_options *model;
    struct target_group group;
};

/* Bits of enum capability that some endpoint of it takes. */
unsigned model_card_params(const struct model_card *c);

int model_card_write(const struct model_card *c, struct buf *out)
    __attribute__((warn_unused_result));

/* --- what a card of one endpoint says in the same words --- */

/* `member` with the names of the bits, and the closing bracket: ",\"input_modalities\":[". */
void card_add_names(struct json_out *o, const char *member, unsigned bits,
                    const char *(*name)(unsigned bit), unsigned n);
/* `,"pricing":{…}`, nothing when no price is known. */
void card_add_pricing(struct json_out *o, const struct price_options *p);

#endif
