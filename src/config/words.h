/* words.h: values that are written as one of a few words. */
#ifndef SLUICE_SRC_CONFIG_WORDS_H
#define SLUICE_SRC_CONFIG_WORDS_H

struct word {
    const char *text; /* NULL ends a list of them */
    unsigned value;
};

/* capabilities.c */
extern const struct word capability_words[], modality_words[], quantization_words[],
    category_words[];

#endif
