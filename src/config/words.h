/* words.h: values that are written as one of a few words. */
#ifndef SLUICE_SRC_CONFIG_WORDS_H
#define SLUICE_SRC_CONFIG_WORDS_H

#include "sluice/base/span.h"

struct word {
    const char *text; /* NULL ends a list of them */
    unsigned value;
};

/* Its `text` is NULL where there is none of that name. */
const struct word *word_named(const struct word *words, struct span name);

/* capabilities.c */
extern const struct word capability_words[], modality_words[], quantization_words[],
    category_words[];
/* table.c: oldest versions */
extern const struct word tls_words[];
/* key_words.c */
extern const struct word key_scope_words[], budget_period_words[];

#endif
