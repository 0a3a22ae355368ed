#include "answer_shelf.h"

#include "owner.h"
#include "sluice/base/arena.h"

#include <stdlib.h>

enum { ENTRIES_MAX = 64 * 1024, SWEEP = 2, CHANCES = 16 };

struct entry {
    struct lru_node node; /* first: a node is its entry */
    struct lru_node held; /* in `held`, while there is an answer */
    struct answer_id id;
    uint8_t print[ANSWER_PRINT_BYTES];
    uint64_t owner, expires_unix_ms;
    enum shelf_state state;
    bool is_elsewhere;
    struct buf answer;
};

static struct span key_of(const struct answer_id *id)
{
    return span_of(id->bytes, ANSWER_ID_BYTES);
}

/* --- what goes -------------------------------------------------------------------------------------- */

static void let_go_of_answer(struct answer_shelf *s, struct entry *e)
{
    if (e->state != SHELF_KEPT)
        return;
    s->held_bytes -= buf_len(&e->answer);
    lru_remove(&s->held, &e->held);
    buf_fini_wiped(&e->answer);
    e->state = SHELF_BARE;
}

static void drop(struct answer_shelf *s, struct entry *e)
{
    let_go_of_answer(s, e);
    lru_remove(&s->entries, &e->node);
    free(e);
}

void answer_shelf_fini(struct answer_shelf *s)
{
    while (s->entries.oldest != NULL)
        drop(s, (struct entry *)s->entries.oldest);
    lru_fini(&s->entries);
    lru_fini(&s->held);
}

static void make_room_for_bytes(struct answer_shelf *s, size_t more)
{
    while (lru_count(&s->held) > 0 && s->held_bytes + more > ANSWERS_MEMORY_MAX_BYTES)
        let_go_of_answer(s, OWNER(struct entry, held, lru_idlest(&s->held)));
}

static bool may_go(const struct entry *e, uint64_t now_unix_ms)
{
    return e->state != SHELF_RUNNING || e->expires_unix_ms <= now_unix_ms;
}

static void make_room_for_entry(struct answer_shelf *s, uint64_t now_unix_ms)
{
    for (unsigned i = 0; i < SWEEP && lru_count(&s->entries) > 0; i++) {
        struct entry *e = (struct entry *)lru_idlest(&s->entries);
        if (e->expires_unix_ms > now_unix_ms)
            break;
        drop(s, e);
    }
    /* There are fewer connections than entries: most of those that are in the way are no claims. */
    for (unsigned i = 0; i < CHANCES && lru_count(&s->entries) >= ENTRIES_MAX; i++) {
        struct entry *e = (struct entry *)lru_idlest(&s->entries);
        if (may_go(e, now_unix_ms))
            drop(s, e);
        else
            e->node.used = true;
    }
}

/* --- what is there ---------------------------------------------------------------------------------- */

static struct entry *entry_of(struct answer_shelf *s, const struct answer_id *id,
                              uint64_t now_unix_ms)
{
    struct entry *e = (struct entry *)lru_find(&s->entries, key_of(id));
    if (e == NULL || e->expires_unix_ms > now_unix_ms)
        return e;
    drop(s, e);
    return NULL;
}

void answer_shelf_find(struct answer_shelf *s, const struct answer_id *id, uint64_t now_unix_ms,
                       struct shelf_found *out)
{
    struct entry *e = entry_of(s, id, now_unix_ms);
    *out = (struct shelf_found){.state = SHELF_EMPTY};
    if (e == NULL)
        return;
    out->state = e->state;
    out->is_elsewhere = e->is_elsewhere;
    out->owner = e->owner;
    memcpy(out->print, e->print, sizeof out->print);
    if (e->state == SHELF_KEPT) {
        e->held.used = true;
        out->answer = buf_span(&e->answer);
    }
}

static struct entry *entry_for(struct answer_shelf *s, const struct answer_id *id,
                               const uint8_t print[ANSWER_PRINT_BYTES], uint64_t expires_unix_ms)
{
    struct entry *e = (struct entry *)lru_find(&s->entries, key_of(id));
    if (e == NULL) {
        e = xcalloc(1, sizeof *e);
        e->id = *id;
        e->node.key = key_of(&e->id);
        e->held.key = e->node.key;
        if (lru_add(&s->entries, &e->node) < 0)
            abort(); /* as xcalloc */
    }
    let_go_of_answer(s, e);
    memcpy(e->print, print, sizeof e->print);
    e->expires_unix_ms = expires_unix_ms;
    e->is_elsewhere = false;
    return e;
}

void answer_shelf_claim(struct answer_shelf *s, const struct answer_id *id,
                        const uint8_t print[ANSWER_PRINT_BYTES], uint64_t owner,
                        uint64_t now_unix_ms, uint64_t expires_unix_ms)
{
    make_room_for_entry(s, now_unix_ms);
    struct entry *e = entry_for(s, id, print, expires_unix_ms);
    e->state = SHELF_RUNNING;
    e->owner = owner;
}

static bool hold(struct answer_shelf *s, struct entry *e, struct buf *answer)
{
    if (answer == NULL)
        return false;
    make_room_for_bytes(s, buf_len(answer));
    if (lru_add(&s->held, &e->held) < 0) {
        buf_fini_wiped(answer);
        return false;
    }
    e->answer = *answer;
    *answer = (struct buf){0};
    s->held_bytes += buf_len(&e->answer);
    return true;
}

void answer_shelf_keep(struct answer_shelf *s, const struct answer_id *id,
                       const uint8_t print[ANSWER_PRINT_BYTES], struct buf *answer,
                       bool is_elsewhere, uint64_t now_unix_ms, uint64_t expires_unix_ms)
{
    make_room_for_entry(s, now_unix_ms);
    struct entry *e = entry_for(s, id, print, expires_unix_ms);
    e->state = hold(s, e, answer) ? SHELF_KEPT : SHELF_BARE;
    e->is_elsewhere = is_elsewhere;
}

void answer_shelf_remove(struct answer_shelf *s, const struct answer_id *id)
{
    struct entry *e = (struct entry *)lru_find(&s->entries, key_of(id));
    if (e != NULL)
        drop(s, e);
}
