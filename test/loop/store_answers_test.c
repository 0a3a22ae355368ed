/* Answers and claims on them: one suite for every backend, with a key to seal them under. */
#include "store_bed.h"

#include "sluice/store/answers.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 10000, DAY_MS = 24 * 60 * 60 * 1000 };

static struct backend {
    const char *name;
    enum store_kind kind;
} backends[] = {{"memory", STORE_MEMORY}, {"sqlite", STORE_SQLITE}, {"redis", STORE_REDIS}};

static const struct backend *backend; /* the one under test */
static struct bed bed;
static struct store *store;
static struct store_options options;
static char sqlite_path[128];

static void use_key(struct store *s)
{
    struct master_keys keys = {.n = 1};
    assert_int_equal(secret_init(&keys.at[0], SPAN_LIT("0123456789abcdef0123456789abcdef")), 0);
    answers_use(store_answers(s), &keys);
    secret_fini(&keys.at[0]);
}

static struct store *open_store(void)
{
    struct store *s = bed_store_open(&bed, &options);
    bed_store_connected(&bed, s);
    use_key(s);
    return s;
}

static int start(void **state)
{
    backend = *state;
    bed_open(&bed);
    if (backend->kind == STORE_REDIS) {
        bed_redis_start(&bed, false, false);
        options = bed_redis_options(&bed, false);
    } else {
        snprintf(sqlite_path, sizeof sqlite_path, "%s/store.db", bed.directory);
        options = (struct store_options){
            .kind = backend->kind, .url = "test:", .path = sqlite_path, .timeout_ms = 1000};
    }
    store = open_store();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    store_close(store);
    assert_int_equal((int)bed_errors(&bed), 0);
    bed_close(&bed);
    return 0;
}

/* --- the calls, waited for ---------------------------------------------------------------------------- */

struct asked {
    bool answered;
    enum answer_state state;
    bool is_same;
    struct buf answer;
    struct answer_claim *claim;
};

static void on_found(void *arg, const struct answer_found *found)
{
    struct asked *q = arg;
    assert_false(q->answered);
    q->answered = true;
    q->state = found->state;
    q->is_same = found->is_same;
    assert_int_equal(buf_add(&q->answer, found->answer), 0);
}

static bool has_answered(void *arg)
{
    return ((struct asked *)arg)->answered;
}

static const struct answer_id *id_of(const char *name)
{
    static struct answer_id id;
    memset(&id, 0, sizeof id);
    memcpy(id.bytes, name, strlen(name));
    return &id;
}

static void ask(struct store *s, const char *id, const char *what, struct asked *q)
{
    uint8_t print[ANSWER_PRINT_BYTES] = {0};
    memcpy(print, what, strlen(what));
    *q = (struct asked){.answered = false};
    q->claim = answers_claim(store_answers(s), id_of(id), print, on_found, q);
    assert_false(q->answered); /* from the loop, always */
}

static struct asked claim(struct store *s, const char *id, const char *what)
{
    struct asked q;
    ask(s, id, what, &q);
    assert_true(bed_run_until(&bed, has_answered, &q, PATIENCE_MS));
    return q;
}

static enum answer_state state_of(struct store *s, const char *id, const char *what)
{
    struct asked q = claim(s, id, what);
    buf_fini(&q.answer);
    if (q.state == ANSWER_CLAIMED)
        answer_claim_release(q.claim);
    return q.state;
}

static struct asked look(struct store *s, const char *id)
{
    struct asked q = {.answered = false};
    q.claim = answers_look(store_answers(s), id_of(id), on_found, &q);
    assert_true(bed_run_until(&bed, has_answered, &q, PATIENCE_MS));
    return q;
}

static struct buf text_of(size_t len, uint8_t fill)
{
    struct buf b = {0};
    assert_int_equal(buf_reserve_exact(&b, len + 1), 0);
    memset(b.at, fill, len);
    b.tail = len;
    return b;
}

struct awaited {
    const char *id;
    struct asked q;
};

static bool is_kept(void *arg)
{
    struct awaited *w = arg;
    if (w->q.claim != NULL && !w->q.answered)
        return false;
    if (w->q.answered && w->q.state != ANSWER_RUNNING)
        return true;
    buf_fini(&w->q.answer);
    ask(store, w->id, "it", &w->q);
    return false;
}

/* What is written in pieces is there a moment later. */
static struct asked kept(const char *id)
{
    struct awaited w = {.id = id};
    assert_true(bed_run_until(&bed, is_kept, &w, PATIENCE_MS));
    return w.q;
}

static void assert_kept(const char *id, size_t len, uint8_t fill)
{
    struct asked q = kept(id);
    struct buf wanted = text_of(len, fill);
    assert_int_equal(q.state, ANSWER_KEPT);
    assert_true(q.is_same && span_eq(buf_span(&q.answer), buf_span(&wanted)));
    buf_fini(&wanted);
    buf_fini(&q.answer);
}

static void make(const char *id, size_t len, uint8_t fill, bool in_memory)
{
    struct asked q = claim(store, id, "it");
    struct buf text = text_of(len, fill);
    assert_int_equal(q.state, ANSWER_CLAIMED);
    answer_claim_keep(q.claim, &text, DAY_MS, in_memory);
    assert_int_equal(buf_len(&text), 0);
}

/* --- claims ------------------------------------------------------------------------------------------- */

static void one_makes_it_and_others_learn_that(void **state)
{
    (void)state;
    struct asked one = claim(store, "a", "it");
    assert_int_equal(one.state, ANSWER_CLAIMED);
    for (unsigned i = 0; i < 3; i++) {
        struct asked q = claim(store, "a", i == 1 ? "else" : "it");
        assert_int_equal(q.state, ANSWER_RUNNING);
        assert_int_equal(q.is_same, i != 1);
    }
    assert_int_equal(state_of(store, "b", "it"), ANSWER_CLAIMED);
    answer_claim_release(one.claim);
    assert_int_equal(state_of(store, "a", "else"), ANSWER_CLAIMED);
}

static void of_many_in_one_turn_one_makes_it(void **state)
{
    static struct asked many[50];
    unsigned made = 0;
    (void)state;
    for (unsigned i = 0; i < 50; i++)
        ask(store, "a", "it", &many[i]);
    for (unsigned i = 0; i < 50; i++) {
        assert_true(bed_run_until(&bed, has_answered, &many[i], PATIENCE_MS));
        made += many[i].state == ANSWER_CLAIMED;
        if (many[i].state != ANSWER_CLAIMED)
            assert_int_equal(many[i].state, ANSWER_RUNNING);
    }
    assert_int_equal(made, 1);
    for (unsigned i = 0; i < 50; i++) {
        if (many[i].state == ANSWER_CLAIMED)
            answer_claim_release(many[i].claim);
    }
}

static void who_no_longer_asks_makes_nothing(void **state)
{
    struct asked q;
    (void)state;
    ask(store, "a", "it", &q);
    answer_claim_release(q.claim);
    bed_run_for(&bed, 50);
    assert_false(q.answered);
    assert_int_equal(state_of(store, "a", "it"), ANSWER_CLAIMED);
}

static void claims_hold_on_every_store_of_one_redis(void **state)
{
    (void)state;
    if (backend->kind != STORE_REDIS)
        return;
    struct store *other = open_store();
    struct asked one = claim(store, "a", "it");
    assert_int_equal(state_of(other, "a", "it"), ANSWER_RUNNING);
    struct buf text = text_of(10, 'x');
    answer_claim_keep(one.claim, &text, DAY_MS, false);
    assert_kept("a", 10, 'x');
    struct asked q = claim(other, "a", "it");
    assert_int_equal(q.state, ANSWER_KEPT);
    assert_int_equal(buf_len(&q.answer), 10);
    buf_fini(&q.answer);
    store_close(other);
}

static void closing_drops_what_waits_and_what_is_held(void **state)
{
    struct asked q, held = claim(store, "h", "it");
    (void)state;
    assert_int_equal(held.state, ANSWER_CLAIMED);
    ask(store, "a", "it", &q);
    store_close(store);
    bed_run_for(&bed, 20);
    assert_false(q.answered);
    store = open_store();
}

/* --- answers -------------------------------------------------------------------------------------------- */

static void answers_of_any_size_come_back_whole(void **state)
{
    static const size_t sizes[] = {0,          1,
                                   1000,       64 * 1024,
                                   256 * 1024, 300 * 1024,
                                   600 * 1024, 2 * 576 * 1024 - 33,
                                   3000000,    ANSWER_MAX_BYTES};
    char id[8];
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(id, sizeof id, "%u", i);
        make(id, sizes[i], (uint8_t)i, false);
        assert_kept(id, sizes[i], (uint8_t)i);
        struct asked q = claim(store, id, "else");
        assert_int_equal(q.state, ANSWER_KEPT);
        assert_false(q.is_same);
        buf_fini(&q.answer);
    }
}

static void what_cannot_be_kept_is_not_made_again(void **state)
{
    struct asked q;
    (void)state;
    make("large", ANSWER_MAX_BYTES + 1, 'x', false);
    q = claim(store, "forgone", "it");
    answer_claim_forgo(q.claim, DAY_MS);
    bed_run_for(&bed, 20);
    assert_int_equal(state_of(store, "large", "it"), ANSWER_GONE);
    assert_int_equal(state_of(store, "forgone", "it"), ANSWER_GONE);
}

static void memory_is_bounded_and_forgets_the_oldest(void **state)
{
    enum { N = ANSWERS_MEMORY_MAX_BYTES / ANSWER_MAX_BYTES };
    char id[8];
    (void)state;
    for (unsigned i = 0; i <= N; i++) {
        snprintf(id, sizeof id, "%u", i);
        make(id, ANSWER_MAX_BYTES, (uint8_t)i, true);
    }
    bed_run_for(&bed, 50);
    assert_int_equal(state_of(store, "0", "it"), ANSWER_GONE);
    assert_kept("1", ANSWER_MAX_BYTES, 1);
    snprintf(id, sizeof id, "%u", N);
    assert_kept(id, ANSWER_MAX_BYTES, N);
}

static void answers_outlive_the_store_unless_they_must_not(void **state)
{
    (void)state;
    make("plain", 1000, 'p', false);
    make("zdr", 1000, 'z', true);
    assert_kept("plain", 1000, 'p');
    assert_kept("zdr", 1000, 'z');
    store_close(store);
    bed_run_for(&bed, 300);
    store = open_store();
    if (backend->kind == STORE_MEMORY) {
        assert_int_equal(state_of(store, "plain", "it"), ANSWER_CLAIMED);
        return;
    }
    assert_kept("plain", 1000, 'p');
    assert_int_equal(state_of(store, "zdr", "it"), ANSWER_GONE);
}

static void without_a_key_nothing_is_written(void **state)
{
    (void)state;
    answers_use(store_answers(store), &(struct master_keys){.n = 0});
    make("a", 1000, 'a', false);
    make("b", 1000, 'b', false);
    assert_kept("a", 1000, 'a');
    bool writes = backend->kind != STORE_MEMORY;
    assert_int_equal(bed_log_count(&bed, "answers stay in memory"), writes ? 1 : 0);
    store_close(store);
    bed_run_for(&bed, 300);
    store = open_store();
    assert_int_equal(state_of(store, "a", "it"), writes ? ANSWER_GONE : ANSWER_CLAIMED);
}

static void answers_end_with_their_time(void **state)
{
    struct asked q = claim(store, "a", "it");
    struct buf text = text_of(10, 'x');
    (void)state;
    answer_claim_keep(q.claim, &text, 80, false);
    assert_kept("a", 10, 'x');
    bed_run_for(&bed, 150);
    assert_int_equal(state_of(store, "a", "it"), ANSWER_CLAIMED);
}

static void what_was_put_is_found_by_who_looks(void **state)
{
    struct asked q = look(store, "a");
    struct buf text = text_of(ANSWER_PUT_MAX_BYTES, 'x');
    (void)state;
    assert_int_equal(q.state, ANSWER_ABSENT);
    answers_put(store_answers(store), id_of("a"), &text, DAY_MS);
    q = look(store, "a");
    assert_int_equal(q.state, ANSWER_KEPT);
    assert_int_equal(buf_len(&q.answer), ANSWER_PUT_MAX_BYTES);
    buf_fini(&q.answer);
    text = text_of(5, 'y');
    answers_put(store_answers(store), id_of("a"), &text, DAY_MS);
    q = look(store, "a");
    assert_int_equal(buf_len(&q.answer), 5);
    buf_fini(&q.answer);
    text = text_of(ANSWER_PUT_MAX_BYTES + 1, 'x');
    answers_put(store_answers(store), id_of("b"), &text, DAY_MS);
    assert_int_equal(look(store, "b").state, ANSWER_ABSENT);
}

static const struct bed_case cases[] = {
    BED_CASE(one_makes_it_and_others_learn_that),
    BED_CASE(of_many_in_one_turn_one_makes_it),
    BED_CASE(who_no_longer_asks_makes_nothing),
    BED_CASE(claims_hold_on_every_store_of_one_redis),
    BED_CASE(closing_drops_what_waits_and_what_is_held),
    BED_CASE(answers_of_any_size_come_back_whole),
    BED_CASE(what_cannot_be_kept_is_not_made_again),
    BED_CASE(memory_is_bounded_and_forgets_the_oldest),
    BED_CASE(answers_outlive_the_store_unless_they_must_not),
    BED_CASE(without_a_key_nothing_is_written),
    BED_CASE(answers_end_with_their_time),
    BED_CASE(what_was_put_is_found_by_who_looks),
};

int main(void)
{
    int failed = 0;

    for (unsigned b = 0; b < sizeof(backends) / sizeof(*backends); b++)
        failed += bed_run_cases(backends[b].name, &backends[b], cases,
                                sizeof(cases) / sizeof(*cases), start, stop);
    return failed;
}
