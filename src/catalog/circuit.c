#include "sluice/catalog/circuit.h"

bool circuit_is_open(const struct circuit *c, uint64_t now_ms)
{
    if (now_ms < c->cool_until_ms)
        return true;
    return c->is_open && (now_ms < c->open_until_ms || now_ms < c->probing_until_ms);
}

enum circuit_state circuit_state(const struct circuit *c, uint64_t now_ms)
{
    if (now_ms < c->cool_until_ms)
        return CIRCUIT_COOLING;
    if (!c->is_open)
        return CIRCUIT_CLOSED;
    return now_ms < c->open_until_ms ? CIRCUIT_OPEN : CIRCUIT_HALF_OPEN;
}

const char *circuit_word(const struct circuit *c, uint64_t now_ms)
{
    static const char *const words[] = {"closed", "half-open", "open", "cooling"};
    return words[circuit_state(c, now_ms)];
}

void circuit_begin(struct circuit *c, uint64_t now_ms)
{
    bool is_probe = c->is_open && !circuit_is_open(c, now_ms);
    if (is_probe)
        c->probing_until_ms = now_ms + CIRCUIT_PROBE_MS;
}

static void open(struct circuit *c, uint64_t now_ms)
{
    c->is_open = true;
    c->open_until_ms = now_ms + CIRCUIT_OPEN_MS;
}

bool circuit_note(struct circuit *c, bool ok, struct outcomes lately, uint64_t now_ms)
{
    bool was_open = c->is_open;
    c->probing_until_ms = 0;
    c->streak = ok ? 0 : c->streak + 1;
    if (ok) {
        c->is_open = false;
        return was_open;
    }
    uint32_t seen = lately.ok + lately.failed;
    bool is_bad = c->streak >= CIRCUIT_STREAK ||
                  (seen >= CIRCUIT_SAMPLES && lately.failed > lately.ok);
    if (was_open || is_bad)
        open(c, now_ms);
    return c->is_open != was_open;
}

void circuit_forget(struct circuit *c)
{
    c->probing_until_ms = 0;
}

void circuit_cool(struct circuit *c, uint64_t for_ms, uint64_t now_ms)
{
    uint64_t until = now_ms + (for_ms < CIRCUIT_COOL_MAX_MS ? for_ms : CIRCUIT_COOL_MAX_MS);
    if (until > c->cool_until_ms)
        c->cool_until_ms = until;
}
