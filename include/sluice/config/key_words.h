/* key_words.h: what the scope of a key and the period of a budget are called, in the file and in the API. */
#ifndef SLUICE_CONFIG_KEY_WORDS_H
#define SLUICE_CONFIG_KEY_WORDS_H

#include "sluice/config/snapshot.h"

const char *key_scope_word(enum key_scope scope);
const char *budget_period_word(enum budget_period period);

/* False: no such word, or NULL. */
bool key_scope_of(const char *word, enum key_scope *out);
bool budget_period_of(const char *word, enum budget_period *out);

#endif
