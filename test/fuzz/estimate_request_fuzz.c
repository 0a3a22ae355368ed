/* A request for an estimate, as the gateway reads it: refused with a reason that names the member, or
 * counted, with no more to be cached than there is. */
#include "sluice/codec/estimate_request.h"
#include "sluice/codec/infrai_turn.h"
#include "sluice/codec/openai_request.h"
#include "sluice/codec/token_count.h"
#include "sluice/format/json_scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool count(struct span body, struct arena *a, struct fault *why)
{
    const struct translation_options o = {0};
    struct turn_request turn;
    if (!infrai_turn_read(body, &o, a, &turn, why))
        return false;
    must(turn.messages != NULL);
    struct token_count n = token_count(&turn, NULL);
    must(n.tokens > 0 && n.cacheable <= n.tokens && !n.is_exact);
    return true;
}

static bool read_options(struct span body, struct fault *why)
{
    struct estimate_request r, alone;
    struct span name;
    size_t cursor = 0;
    unsigned n = 0;
    if (!estimate_request_read(body, true, &r, why))
        return false;
    must(estimate_request_read(body, false, &alone, why) && alone.nmodels == 0);
    must(r.output_tokens <= 1000000000 && r.nmodels <= ESTIMATE_MODELS_MAX);
    while (json_each(r.models, &cursor, &name))
        n++;
    must(n == r.nmodels);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);
    struct openai_request r;
    struct fault why = {.param = ""};
    struct arena a;
    arena_init(&a, NULL, 256);
    bool is_good = openai_request_read_open(body, API_INFRAI, &a, &r, &why) &&
                   openai_request_is_complete(&r, API_INFRAI, &why);
    if (is_good) {
        must(r.takes_default ? r.model.len == 0 : r.lacks_model || r.model.len > 0);
        is_good = read_options(body, &why) && count(body, &a, &why);
    }
    must(is_good || (fault_status(&why) == 400 && why.message[0] != '\0' && why.param != NULL));
    arena_fini(&a);
    return 0;
}
