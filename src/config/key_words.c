#include "sluice/config/key_words.h"

#include "words.h"

/* In the order of their values. */
const struct word key_scope_words[] = {
    {"workspace", SCOPE_WORKSPACE}, {"pipeline", SCOPE_PIPELINE}, {"admin", SCOPE_ADMIN}, {0}};
const struct word budget_period_words[] = {{"day", PERIOD_DAY},
                                           {"week", PERIOD_WEEK},
                                           {"month", PERIOD_MONTH},
                                           {"total", PERIOD_TOTAL},
                                           {0}};

const char *key_scope_word(enum key_scope scope)
{
    return key_scope_words[scope].text;
}

const char *budget_period_word(enum budget_period period)
{
    return budget_period_words[period].text;
}

bool key_scope_of(const char *word, enum key_scope *out)
{
    const struct word *w = word_named(key_scope_words, span_text(word));
    if (w->text != NULL)
        *out = (enum key_scope)w->value;
    return w->text != NULL;
}

bool budget_period_of(const char *word, enum budget_period *out)
{
    const struct word *w = word_named(budget_period_words, span_text(word));
    if (w->text != NULL)
        *out = (enum budget_period)w->value;
    return w->text != NULL;
}
