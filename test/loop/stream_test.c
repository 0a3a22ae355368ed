#include "net_harness.h"

#include <fcntl.h>

static char *letters(size_t n)
{
    char *text = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i * 7 % 26 + (i / 1000) % 2);
    text[n] = '\0';
    return text;
}

/* ── bytes ───────────────────────────────────────────────────────────────────────────────────── */

static void brings_bytes_both_ways(void **state)
{
    struct link k;
    char peer[64];
    (void)state;
    link_init(&k);
    assert_int_equal(end_write(&k.client, "question"), FLOW_OK);
    RUN_UNTIL(k.loop, k.server.got.tail == 8);
    assert_int_equal(end_write(&k.server, "answer"), FLOW_OK);
    RUN_UNTIL(k.loop, k.client.got.tail == 6);
    assert_memory_equal(k.client.got.at, "answer", 6);
    assert_string_equal(stream_peer(k.server.s, peer), "127.0.0.1");
    assert_string_equal(stream_peer(k.client.s, peer), "127.0.0.1");
    assert_false(stream_is_tls(k.client.s));
    assert_int_equal(stream_backlog(k.client.s), 0);
    link_fini(&k);
}

/* More spans than one writev takes, empty ones among them. */
static void writes_any_number_of_spans_in_order(void **state)
{
    enum { N = 1000 };
    struct span spans[N];
    char text[N][8];
    struct buf all = {0};
    struct link k;
    (void)state;
    link_init(&k);
    for (unsigned i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "%u,", i);
        spans[i] = i % 10 == 3 ? SPAN_NONE : span_text(text[i]);
        assert_int_equal(buf_add(&all, spans[i]), 0);
    }
    stream_write(k.client.s, spans, N);
    stream_write(k.client.s, spans, 0);
    RUN_UNTIL(k.loop, k.server.got.tail == all.tail);
    assert_memory_equal(k.server.got.at, all.at, all.tail);
    buf_fini(&all);
    link_fini(&k);
}

/* ── backpressure ────────────────────────────────────────────────────────────────────────────── */

/* Writes until asked to pause; returns how much was accepted. */
static size_t fill(struct end *e, const char *chunk, size_t len)
{
    struct span bytes = span_of(chunk, len);
    size_t total = 0;
    enum flow flow;
    do {
        flow = stream_write(e->s, &bytes, 1);
        total += len;
        assert_true(total < 64 * 1024 * 1024);
    } while (flow == FLOW_OK);
    return total;
}

static void slow_reader_pauses_the_writer_and_writable_comes_once(void **state)
{
    enum { CHUNK = 10000 };
    char *chunk = letters(CHUNK);
    struct link k;
    (void)state;
    link_init(&k);
    stream_pause(k.server.s);
    turn(k.loop);
    size_t total = fill(&k.client, chunk, CHUNK);
    assert_true(stream_backlog(k.client.s) > STREAM_HIGH_WATER);
    assert_true(stream_backlog(k.client.s) <= STREAM_HIGH_WATER + CHUNK); /* bounded */
    run_ms(k.loop, 50);
    assert_int_equal(k.client.nwritable, 0);
    assert_int_equal(k.server.ndata, 0);
    stream_resume(k.server.s);
    RUN_UNTIL(k.loop, k.server.got.tail == total);
    run_ms(k.loop, 20);
    assert_int_equal(k.client.nwritable, 1);
    assert_int_equal(stream_backlog(k.client.s), 0);
    for (size_t i = 0; i < total; i += CHUNK)
        assert_memory_equal(k.server.got.at + i, chunk, CHUNK);
    free(chunk);
    link_fini(&k);
}

static void write_more(struct end *e)
{
    static char chunk[3000];
    struct span bytes = span_of(chunk, sizeof chunk);
    for (unsigned i = 0; i < 30 && e->nwritable <= 5; i++)
        stream_write(e->s, &bytes, 1);
}

static void writing_inside_writable_goes_on(void **state)
{
    char *chunk = letters(50000);
    struct link k;
    (void)state;
    link_init(&k);
    k.client.in_writable = write_more;
    stream_pause(k.server.s);
    turn(k.loop);
    size_t total = fill(&k.client, chunk, 50000);
    stream_resume(k.server.s);
    RUN_UNTIL(k.loop, k.client.nwritable >= 5);
    RUN_UNTIL(k.loop, k.server.got.tail >= total + 5 * 90000u);
    assert_int_equal(k.server.got.tail, total + 5 * 90000u);
    free(chunk);
    link_fini(&k);
}

static void paused_reader_gets_nothing_and_then_all(void **state)
{
    struct link k;
    (void)state;
    link_init(&k);
    stream_pause(k.server.s);
    stream_pause(k.server.s);
    end_write(&k.client, "waiting");
    end_finish(&k.client);
    run_ms(k.loop, 30);
    assert_int_equal(k.server.ndata + k.server.nclosed, 0);
    stream_resume(k.server.s);
    stream_resume(k.server.s);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_int_equal(k.server.got.tail, 7);
    assert_int_equal(k.server.closed_status, UV_EOF);
    link_fini(&k);
}

static void pause_self(struct end *e)
{
    stream_pause(e->s);
}

/* libuv reports a hang-up along with the last bytes: the pause comes between the two. */
static void end_of_file_is_not_lost_in_a_pause(void **state)
{
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    k.server.in_data = pause_self;
    assert_int_equal(write(fd, "last", 4), 4);
    /* Both directions shut: epoll says IN and HUP at once. */
    shutdown(fd, SHUT_WR);
    RUN_UNTIL(k.loop, k.server.ndata == 1);
    run_ms(k.loop, 20);
    assert_int_equal(k.server.nclosed, 0);
    stream_resume(k.server.s);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_int_equal(k.server.closed_status, UV_EOF);
    close(fd);
    link_fini(&k);
}

static void reader_that_never_reads_times_the_write_out(void **state)
{
    char *chunk = letters(10000);
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    stream_set_write_timeout(k.server.s, 60);
    fill(&k.server, chunk, 10000);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_int_equal(k.server.closed_status, UV_ETIMEDOUT);
    assert_int_equal(k.server.nwritable, 0);
    free(chunk);
    close(fd);
    link_fini(&k);
}

static void reader_that_is_slow_but_reads_does_not_time_out(void **state)
{
    static char into[20000];
    char *chunk = letters(10000);
    struct link k;
    (void)state;
    int fd = link_init_raw(&k), small = 8192;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    stream_set_write_timeout(k.server.s, 250);
    fill(&k.server, chunk, 10000);
    for (unsigned i = 0; i < 15; i++) {
        for (unsigned j = 0; j < 12; j++)
            assert_true(recv(fd, into, sizeof into, MSG_DONTWAIT) != 0);
        run_ms(k.loop, 40);
    }
    assert_int_equal(k.server.nclosed, 0);
    free(chunk);
    close(fd);
    link_fini(&k);
}

/* ── closing ─────────────────────────────────────────────────────────────────────────────────── */

static void peer_finishing_ends_reading_but_not_writing(void **state)
{
    char got[8] = "";
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    shutdown(fd, SHUT_WR);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_int_equal(k.server.closed_status, UV_EOF);
    end_write(&k.server, "after");
    turn(k.loop);
    assert_int_equal(read(fd, got, sizeof got), 5);
    assert_string_equal(got, "after");
    close(fd);
    link_fini(&k);
}

static void reset_is_told_once(void **state)
{
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    raw_reset(fd);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_int_equal(k.server.closed_status, UV_ECONNRESET);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(end_write(&k.server, "into nothing"), FLOW_OK);
    run_ms(k.loop, 20);
    assert_int_equal(k.server.nclosed, 1);
    link_fini(&k);
}

/* An upstream that refuses a body says why and closes; our write fails before we read that. */
static void failed_write_still_brings_what_the_peer_had_said(void **state)
{
    char *much = letters(4000000);
    struct span bytes = span_of(much, 4000000);
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    assert_int_equal(write(fd, "413", 3), 3);
    raw_reset(fd);
    usleep(10000);
    stream_write(k.server.s, &bytes, 1);
    stream_write(k.server.s, &bytes, 1);
    assert_int_equal(k.server.nclosed, 0); /* no upcall from within a verb */
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_true(k.server.closed_status < 0 && k.server.closed_status != UV_EOF);
    free(much);
    link_fini(&k);
}

static void failed_write_is_told_to_an_owner_that_paused(void **state)
{
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    stream_pause(k.server.s);
    raw_reset(fd);
    usleep(5000);
    turn(k.loop);
    for (unsigned i = 0; i < 3; i++) {
        end_write(&k.server, "into nothing");
        usleep(2000);
    }
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    link_fini(&k);
}

static void close_inside_data(void **state)
{
    struct link k;
    (void)state;
    link_init(&k);
    k.server.in_data = end_close;
    end_write(&k.client, "one");
    RUN_UNTIL(k.loop, k.client.nclosed == 1);
    assert_int_equal(k.server.ndata, 1);
    link_fini(&k);
}

static void finish_inside_data(void **state)
{
    struct link k;
    (void)state;
    link_init(&k);
    k.server.in_data = end_finish;
    end_write(&k.client, "one");
    RUN_UNTIL(k.loop, k.client.nclosed == 1);
    assert_int_equal(k.client.closed_status, UV_EOF);
    link_fini(&k);
}

static void close_inside_closed(void **state)
{
    struct link k;
    (void)state;
    link_init(&k);
    k.server.in_closed = end_close;
    end_close(&k.client);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    run_ms(k.loop, 10);
    link_fini(&k);
}

static void close_inside_writable(void **state)
{
    char *chunk = letters(30000);
    struct link k;
    (void)state;
    link_init(&k);
    k.client.in_writable = end_close;
    stream_pause(k.server.s);
    turn(k.loop);
    fill(&k.client, chunk, 30000);
    stream_resume(k.server.s);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    assert_int_equal(k.client.nwritable, 1);
    free(chunk);
    link_fini(&k);
}

/* libuv cancels the write: nobody may hear of it. */
static void close_with_a_backlog_is_silent(void **state)
{
    char *chunk = letters(30000);
    struct link k;
    (void)state;
    link_init(&k);
    stream_pause(k.server.s);
    turn(k.loop);
    fill(&k.client, chunk, 30000);
    end_close(&k.client);
    run_ms(k.loop, 20);
    assert_int_equal(k.client.nclosed + k.client.nwritable, 0);
    free(chunk);
    link_fini(&k);
}

static void close_is_idempotent_until_the_memory_goes(void **state)
{
    struct link k;
    (void)state;
    link_init(&k);
    struct stream *s = k.client.s;
    end_close(&k.client);
    stream_close(s);
    stream_finish(s);
    struct span bytes = SPAN_LIT("ignored");
    assert_int_equal(stream_write(s, &bytes, 1), FLOW_OK);
    link_fini(&k);
}

/* ── finishing ───────────────────────────────────────────────────────────────────────────────── */

/* Closing with unread bytes would reset the connection and take the answer along. */
static void finish_delivers_the_last_bytes_though_the_peer_keeps_sending(void **state)
{
    enum { N = 3000000 };
    char *answer = letters(N);
    struct span bytes = span_of(answer, N);
    struct link k;
    (void)state;
    link_init(&k);
    stream_write(k.server.s, &bytes, 1);
    end_finish(&k.server);
    while (k.client.got.tail < N && k.client.nclosed == 0) {
        end_write(&k.client, "still sending");
        turn(k.loop);
    }
    RUN_UNTIL(k.loop, k.client.nclosed == 1);
    assert_int_equal(k.client.closed_status, UV_EOF);
    assert_int_equal(k.client.got.tail, N);
    assert_memory_equal(k.client.got.at, answer, N);
    free(answer);
    link_fini(&k);
}

static void finish_lets_go_after_a_second_of_a_peer_that_stays(void **state)
{
    char end;
    struct link k;
    (void)state;
    int fd = link_init_raw(&k);
    end_finish(&k.server);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    uint64_t began_us = clock_us();
    RUN_UNTIL(k.loop, read(fd, &end, 1) == 0); /* our FIN is there at once */
    assert_true(clock_us() - began_us < 500 * 1000);
    /* Once the second is over, what is sent meets a reset. */
    RUN_UNTIL(k.loop, send(fd, "x", 1, MSG_NOSIGNAL) < 0);
    uint64_t took_us = clock_us() - began_us;
    assert_true(took_us > 900 * 1000 && took_us < 3000 * 1000);
    close(fd);
    link_fini(&k);
}

static void finish_inside_pause_still_ends(void **state)
{
    struct link k;
    (void)state;
    link_init(&k);
    stream_pause(k.server.s);
    end_write(&k.client, "unread");
    run_ms(k.loop, 5);
    end_finish(&k.server);
    RUN_UNTIL(k.loop, k.client.nclosed == 1);
    assert_int_equal(k.client.closed_status, UV_EOF);
    link_fini(&k);
}

/* ── owners and buffers ──────────────────────────────────────────────────────────────────────── */

static struct end *heir;

static void hand_over(struct end *e)
{
    e->let_go = true;
    end_attach(heir, e->s);
    e->s = NULL;
}

static void stream_changes_owner_inside_data(void **state)
{
    struct end second = {0};
    struct link k;
    (void)state;
    link_init(&k);
    heir = &second;
    k.server.in_data = hand_over;
    end_write(&k.client, "first");
    RUN_UNTIL(k.loop, second.s != NULL);
    end_write(&k.client, "second");
    RUN_UNTIL(k.loop, second.got.tail == 6);
    assert_int_equal(k.server.got.tail, 5);
    end_fini(&second);
    link_fini(&k);
}

static struct buf body;
static unsigned direct;

static void take_body(void *owner, struct span bytes)
{
    (void)owner;
    if (bytes.at == body.at + body.tail) {
        body.tail += bytes.len;
        direct++;
    } else {
        assert_int_equal(buf_add(&body, bytes), 0);
    }
}

static void reads_straight_into_the_owners_buffer(void **state)
{
    enum { N = 1000000 };
    static const struct stream_events events = {take_body, end_on_writable, end_on_closed};
    char *sent = letters(N);
    struct span bytes = span_of(sent, N);
    struct link k;
    (void)state;
    link_init(&k);
    direct = 0;
    assert_int_equal(buf_reserve_exact(&body, N), 0);
    const uint8_t *at = body.at;
    stream_attach(k.server.s, &events, &k.server);
    stream_read_into(k.server.s, &body, N);
    stream_write(k.client.s, &bytes, 1);
    RUN_UNTIL(k.loop, body.tail == N);
    assert_ptr_equal(body.at, at);
    assert_memory_equal(body.at, sent, N);
    assert_true(direct > 0);
    stream_read_into(k.server.s, NULL, 0);
    buf_fini(&body);
    free(sent);
    link_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_bytes_both_ways),
        cmocka_unit_test(writes_any_number_of_spans_in_order),
        cmocka_unit_test(slow_reader_pauses_the_writer_and_writable_comes_once),
        cmocka_unit_test(writing_inside_writable_goes_on),
        cmocka_unit_test(paused_reader_gets_nothing_and_then_all),
        cmocka_unit_test(end_of_file_is_not_lost_in_a_pause),
        cmocka_unit_test(reader_that_never_reads_times_the_write_out),
        cmocka_unit_test(reader_that_is_slow_but_reads_does_not_time_out),
        cmocka_unit_test(peer_finishing_ends_reading_but_not_writing),
        cmocka_unit_test(reset_is_told_once),
        cmocka_unit_test(failed_write_still_brings_what_the_peer_had_said),
        cmocka_unit_test(failed_write_is_told_to_an_owner_that_paused),
        cmocka_unit_test(close_inside_data),
        cmocka_unit_test(finish_inside_data),
        cmocka_unit_test(close_inside_closed),
        cmocka_unit_test(close_inside_writable),
        cmocka_unit_test(close_with_a_backlog_is_silent),
        cmocka_unit_test(close_is_idempotent_until_the_memory_goes),
        cmocka_unit_test(finish_delivers_the_last_bytes_though_the_peer_keeps_sending),
        cmocka_unit_test(finish_lets_go_after_a_second_of_a_peer_that_stays),
        cmocka_unit_test(finish_inside_pause_still_ends),
        cmocka_unit_test(stream_changes_owner_inside_data),
        cmocka_unit_test(reads_straight_into_the_owners_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
