#include "sluice/codec/cache_strategy.h"

#include <stdio.h>

bool cache_strategy_read(struct span word, enum cache_strategy *out, struct fault *why)
{
    static const struct {
        const char *word;
        enum cache_strategy cache;
    } known[] = {
        {"vendor", CACHE_VENDOR},  {"infrai", CACHE_GATEWAY}, {"gateway", CACHE_GATEWAY},
        {"sluice", CACHE_GATEWAY}, {"none", CACHE_NONE},
    };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!span_eq(word, span_text(known[i].word)))
            continue;
        *out = known[i].cache;
        return true;
    }
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = "cache_strategy"};
    snprintf(why->message, sizeof why->message,
             "\"cache_strategy\" must be \"vendor\", \"infrai\" or \"none\"");
    return false;
}
