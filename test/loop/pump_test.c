#include "net_harness.h"

#include "sluice/net/pump.h"

/* A writer that takes what it is told to, and remembers what came. */
struct taker {
    struct buf got;
    struct pump pump;
    unsigned nwrites, nlast;
    size_t largest;
    enum flow flow;
};

static enum flow on_piece(void *arg, const struct span *spans, unsigned n, bool last)
{
    struct taker *t = arg;
    size_t total = 0;
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(buf_add(&t->got, spans[i]), 0);
        total += spans[i].len;
    }
    t->nwrites++;
    t->nlast += last;
    if (total > t->largest)
        t->largest = total;
    if (last)
        memset(&t->pump, 0x5a, sizeof t->pump); /* nobody may look at it any more */
    return t->flow;
}

enum { SIZE = 3 * 1024 * 1024 + 17 };

static uint8_t *message(void)
{
    uint8_t *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

static void start(struct taker *t, struct loop *l, const uint8_t *bytes, struct span spans[3])
{
    spans[0] = span_of(bytes, 5);
    spans[1] = span_of(bytes + 5, SIZE - 12);
    spans[2] = span_of(bytes + SIZE - 7, 7);
    pump_start(&t->pump, l, spans, 3, on_piece, t);
}

static void check_whole(struct taker *t, const uint8_t *bytes)
{
    assert_int_equal(t->nlast, 1);
    assert_int_equal(buf_len(&t->got), SIZE);
    assert_memory_equal(t->got.at, bytes, SIZE);
    buf_fini(&t->got);
}

static void a_quick_peer_gets_it_in_pieces_over_several_turns(void **state)
{
    struct loop *l = loop_new();
    struct taker t = {.flow = FLOW_OK};
    struct span spans[3];
    uint8_t *bytes = message();
    (void)state;
    start(&t, l, bytes, spans);
    assert_int_equal(t.nlast, 0);
    assert_true(buf_len(&t.got) <= 4 * PUMP_PIECE_BYTES); /* of one turn */
    RUN_UNTIL(l, t.nlast > 0);
    assert_true(t.largest <= PUMP_PIECE_BYTES);
    check_whole(&t, bytes);
    free(bytes);
    loop_free(l);
}

static void a_slow_peer_is_waited_for(void **state)
{
    struct loop *l = loop_new();
    struct taker t = {.flow = FLOW_PAUSE};
    struct span spans[3];
    uint8_t *bytes = message();
    (void)state;
    start(&t, l, bytes, spans);
    for (unsigned n = 1; t.nlast == 0; n++) {
        assert_int_equal(t.nwrites, n);
        run_ms(l, 1);
        assert_int_equal(t.nwrites, n); /* nothing comes before it is asked for */
        pump_go_on(&t.pump);
    }
    check_whole(&t, bytes);
    free(bytes);
    loop_free(l);
}

static void the_rest_can_be_had_at_once(void **state)
{
    struct loop *l = loop_new();
    struct taker t = {.flow = FLOW_PAUSE};
    struct span spans[3];
    uint8_t *bytes = message();
    (void)state;
    start(&t, l, bytes, spans);
    pump_finish(&t.pump);
    check_whole(&t, bytes);
    free(bytes);
    loop_free(l);
}

static void a_stopped_one_writes_nothing_more(void **state)
{
    struct loop *l = loop_new();
    struct taker t = {.flow = FLOW_OK};
    struct span spans[3];
    uint8_t *bytes = message();
    (void)state;
    start(&t, l, bytes, spans); /* waits for the next turn */
    unsigned before = t.nwrites;
    pump_stop(&t.pump);
    pump_stop(&t.pump);
    pump_go_on(&t.pump);
    pump_finish(&t.pump);
    run_ms(l, 1);
    assert_int_equal(t.nwrites, before);
    assert_true(pump_is_through(&t.pump));
    buf_fini(&t.got);
    free(bytes);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_peer_gets_it_in_pieces_over_several_turns),
        cmocka_unit_test(a_slow_peer_is_waited_for),
        cmocka_unit_test(the_rest_can_be_had_at_once),
        cmocka_unit_test(a_stopped_one_writes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
