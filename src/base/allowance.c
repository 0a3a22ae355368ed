#include "sluice/base/allowance.h"

enum { TOKEN = 1000000 };

static void add(struct allowance *a, const struct allowance_terms *t, uint64_t millionths)
{
    uint64_t most = (uint64_t)t->most * TOKEN;
    a->millionths = a->millionths + millionths < most ? a->millionths + millionths : most;
}

void allowance_earn(struct allowance *a, const struct allowance_terms *t)
{
    add(a, t, t->each_earns_ppm);
}

bool allowance_take(struct allowance *a, const struct allowance_terms *t, uint64_t now_ms)
{
    enum { DAY_MS = 86400000 }; /* more is no more, and would overflow */
    uint64_t passed_ms = now_ms > a->as_of_ms ? now_ms - a->as_of_ms : 0;
    if (passed_ms > DAY_MS)
        passed_ms = DAY_MS;
    add(a, t, passed_ms * t->per_second * (TOKEN / 1000));
    a->as_of_ms = now_ms;
    if (a->millionths < TOKEN)
        return false;
    a->millionths -= TOKEN;
    return true;
}
