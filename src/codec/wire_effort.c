#include "wire_effort.h"

#include "sluice/format/json_scan.h"

enum turn_effort wire_effort(const struct turn_request *r)
{
    bool is_number = r->effort == EFFORT_UNSAID && r->thinking_budget.len > 0;
    return is_number ? turn_effort_of_budget(r) : r->effort;
}

const char *wire_effort_word(const struct writing *w, enum turn_effort e)
{
    if (e == EFFORT_MAX && !takes(w, FACT_EFFORT_MAX))
        e = EFFORT_XHIGH;
    if (e == EFFORT_XHIGH && !takes(w, FACT_EFFORT_XHIGH))
        e = EFFORT_HIGH;
    if (e == EFFORT_MINIMAL && !takes(w, FACT_EFFORT_MINIMAL))
        e = EFFORT_LOW;
    return turn_effort_word(e);
}

bool wire_takes_effort(const struct writing *w, enum turn_effort e)
{
    return takes(w, FACT_REASONING) && (e != EFFORT_NONE || takes(w, FACT_THINKING_OFF));
}

uint64_t wire_budget(const struct turn_request *r, enum turn_effort e, uint64_t most)
{
    static const unsigned percents[] = {
        [EFFORT_MINIMAL] = 10, [EFFORT_LOW] = 20,   [EFFORT_MEDIUM] = 50,
        [EFFORT_HIGH] = 80,    [EFFORT_XHIGH] = 95, [EFFORT_MAX] = 95,
    };
    uint64_t budget;
    if (e != EFFORT_NONE && json_u64(r->thinking_budget, &budget))
        return budget;
    return most / 100 * percents[e] + most % 100 * percents[e] / 100;
}

bool wire_thinks_freely(const struct turn_request *r)
{
    return r->thinking_is_adaptive && r->effort == EFFORT_UNSAID && r->thinking_budget.len == 0;
}
