#include "net_harness.h"

#include "sluice/base/log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

static void ignore_stream(void *arg, struct stream *s)
{
    ++*(unsigned *)arg;
    stream_close(s);
}

static const char *refusal(struct loop *l, const char *address)
{
    static struct err why;
    const struct listener_config c = {.address = address};
    why = (struct err){0};
    assert_null(listener_open(l, &c, ignore_stream, NULL, &why));
    return why.text;
}

static void names_the_address_it_really_has(void **state)
{
    static const struct {
        const char *address, *prefix;
    } rows[] = {
        {"127.0.0.1:0", "127.0.0.1:"}, {"0.0.0.0:0", "0.0.0.0:"}, {"[::1]:0", "[::1]:"},
        {"[::]:0", "[::]:"},           {"localhost:0", ""},       {":0", ""},
    };
    struct loop *l = loop_new();
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err why = {0};
        const struct listener_config c = {.address = rows[i].address};
        struct listener *one = listener_open(l, &c, ignore_stream, NULL, &why);
        if (one == NULL && strchr(rows[i].address, '[') != NULL)
            continue; /* a machine without IPv6 */
        assert_non_null(one);
        const char *text = listener_address(one);
        assert_memory_equal(text, rows[i].prefix, strlen(rows[i].prefix));
        assert_true(atoi(strrchr(text, ':') + 1) > 0);
        listener_close(one);
    }
    loop_free(l);
}

static void says_what_is_wrong_with_an_address(void **state)
{
    struct loop *l = loop_new();
    unsigned naccepted = 0;
    struct err why = {0};
    struct listener_config c = {.address = "127.0.0.1:0"};
    (void)state;
    assert_non_null(strstr(refusal(l, "4000"), "is not an address"));
    assert_non_null(strstr(refusal(l, "::1:4000"), "is not an address"));
    assert_non_null(strstr(refusal(l, "127.0.0.1:"), "is not an address"));
    assert_non_null(strstr(refusal(l, "127.0.0.1:http"), "cannot listen"));
    assert_non_null(strstr(refusal(l, "192.0.2.1:0"), "no interface"));
    assert_non_null(strstr(refusal(l, "unix:"), "is not an address"));
    assert_non_null(strstr(refusal(l, "unix:/nonexistent/dir/s"), "does not exist"));
    assert_non_null(strstr(refusal(l, "unix:/dev/null"), "no socket"));
    assert_non_null(strstr(refusal(l, "fd:api"), "handed over"));
    struct listener *one = listener_open(l, &c, ignore_stream, &naccepted, &why);
    assert_non_null(strstr(refusal(l, listener_address(one)), "another process has it"));
    listener_close(one);
    loop_free(l);
}

static void two_may_share_a_port_when_asked(void **state)
{
    struct loop *l = loop_new();
    unsigned naccepted = 0;
    struct err why = {0};
    struct listener_config c = {.address = "127.0.0.1:0", .reuse_port = true};
    (void)state;
    struct listener *one = listener_open(l, &c, ignore_stream, &naccepted, &why);
    c.address = listener_address(one);
    struct listener *two = listener_open(l, &c, ignore_stream, &naccepted, &why);
    assert_non_null(two);
    listener_close(one);
    listener_close(two);
    loop_free(l);
}

static void accepts_all_that_wait(void **state)
{
    enum { N = 200 };
    struct link k = {.loop = loop_new()};
    int fds[N];
    (void)state;
    link_listen(&k, "127.0.0.1:0", NULL);
    for (unsigned i = 0; i < N; i++)
        fds[i] = raw_connect(link_port(&k));
    RUN_UNTIL(k.loop, k.naccepted == N);
    for (unsigned i = 0; i < N; i++)
        close(fds[i]);
    link_fini(&k);
}

static void paused_leaves_them_waiting(void **state)
{
    struct link k = {.loop = loop_new()};
    (void)state;
    link_listen(&k, "127.0.0.1:0", NULL);
    listener_pause(k.listener);
    listener_pause(k.listener);
    int fd = raw_connect(link_port(&k)); /* the kernel's queue takes it */
    run_ms(k.loop, 20);
    assert_int_equal(k.naccepted, 0);
    listener_resume(k.listener);
    listener_resume(k.listener);
    RUN_UNTIL(k.loop, k.naccepted == 1);
    close(fd);
    link_fini(&k);
}

static void pause_inside(void *arg, struct stream *s)
{
    struct link *k = arg;
    k->naccepted++;
    listener_pause(k->listener);
    stream_close(s);
}

static void close_inside(void *arg, struct stream *s)
{
    struct link *k = arg;
    k->naccepted++;
    listener_close(k->listener);
    k->listener = NULL;
    stream_close(s);
}

static void may_be_paused_or_closed_while_accepting(void **state)
{
    const accept_fn inside[] = {pause_inside, close_inside};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct link k = {.loop = loop_new()};
        struct err why = {0};
        const struct listener_config c = {.address = "127.0.0.1:0"};
        k.listener = listener_open(k.loop, &c, inside[i], &k, &why);
        int fds[5];
        for (unsigned j = 0; j < 5; j++)
            fds[j] = raw_connect(link_port(&k));
        run_ms(k.loop, 30);
        assert_int_equal(k.naccepted, 1);
        for (unsigned j = 0; j < 5; j++)
            close(fds[j]);
        link_fini(&k);
    }
}

/* Out of descriptors: the loop must not spin, and nobody who waits is turned away. */
static void running_out_of_descriptors_is_survived(void **state)
{
    struct link k = {.loop = loop_new()};
    struct rlimit was, low;
    unsigned turns = 0;
    (void)state;
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, LOG_FORMAT_TEXT);
    link_listen(&k, "127.0.0.1:0", NULL);
    int fd = raw_connect(link_port(&k));
    getrlimit(RLIMIT_NOFILE, &was);
    low = was;
    low.rlim_cur = (rlim_t)fd + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    uint64_t end_us = clock_us() + 150 * 1000;
    while (clock_us() < end_us) {
        uv_run(loop_uv(k.loop), UV_RUN_ONCE);
        turns++;
    }
    assert_true(turns < 20);
    assert_int_equal(k.naccepted, 0);
    setrlimit(RLIMIT_NOFILE, &was);
    RUN_UNTIL(k.loop, k.naccepted == 1);
    close(fd);
    link_fini(&k);
}

/* ── unix sockets ────────────────────────────────────────────────────────────────────────────── */

static char socket_address[128];
static const char *socket_path;

static int make_path(void **state)
{
    (void)state;
    snprintf(socket_address, sizeof socket_address, "unix:/tmp/sluice-test-%d.sock", getpid());
    socket_path = socket_address + 5;
    return 0;
}

static void unix_socket_has_its_mode_and_goes_with_the_listener(void **state)
{
    struct dial_target target = {.unix_path = socket_path, .timeout_ms = 5000};
    struct link k = {.loop = loop_new()};
    struct stat is;
    char peer[64];
    (void)state;
    link_listen(&k, socket_address, NULL);
    assert_string_equal(listener_address(k.listener), socket_address);
    assert_int_equal(stat(socket_path, &is), 0);
    assert_int_equal(is.st_mode & 0777, 0600);
    dial_start(k.loop, &target, link_on_dialled, &k);
    RUN_UNTIL(k.loop, k.server.s != NULL && k.client.s != NULL);
    end_write(&k.client, "over a file");
    RUN_UNTIL(k.loop, k.server.got.tail == 11);
    assert_string_equal(stream_peer(k.server.s, peer), "unix");
    link_fini(&k);
    assert_int_equal(stat(socket_path, &is), -1);
}

static void unix_socket_of_a_dead_process_is_replaced_a_live_one_is_not(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct link k = {.loop = loop_new()};
    (void)state;
    strcpy(at.sun_path, socket_path);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(dead, 1), 0);
    assert_non_null(strstr(refusal(k.loop, socket_address), "another process has it"));
    close(dead);
    link_listen(&k, socket_address, NULL);
    link_fini(&k);
}

/* ── socket activation ───────────────────────────────────────────────────────────────────────── */

static void activated_sockets_are_found_by_name(void **state)
{
    char pid[16];
    (void)state;
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "api:ops:more", 1);
    assert_int_equal(listener_activated_fd("api"), 3);
    assert_int_equal(listener_activated_fd("ops"), 4);
    assert_int_equal(listener_activated_fd("more"), -1); /* named, but not handed over */
    assert_int_equal(listener_activated_fd("ap"), -1);
    setenv("LISTEN_PID", "1", 1);
    assert_int_equal(listener_activated_fd("api"), -1);
    unsetenv("LISTEN_PID");
    assert_int_equal(listener_activated_fd("api"), -1);
}

static void an_activated_socket_accepts(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct link k = {.loop = loop_new()};
    char text[64];
    (void)state;
    /* Descriptor 3 is somebody else's by now; name as many as it takes to reach ours. */
    int given = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(given, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(given, 5), 0);
    snprintf(text, sizeof text, "%d", getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", given - 2);
    setenv("LISTEN_FDS", text, 1);
    text[0] = '\0';
    for (int i = 3; i < given; i++)
        strcat(text, "x:");
    strcat(text, "api");
    setenv("LISTEN_FDNAMES", text, 1);
    for (unsigned round = 0; round < 2; round++) { /* a reload opens it again */
        link_listen(&k, "fd:api", NULL);
        int fd = raw_connect(link_port(&k));
        RUN_UNTIL(k.loop, k.naccepted == round + 1);
        close(fd);
        listener_close(k.listener);
        k.listener = NULL;
    }
    unsetenv("LISTEN_PID");
    link_fini(&k);
    close(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong_with_an_address),
        cmocka_unit_test(names_the_address_it_really_has),
        cmocka_unit_test(two_may_share_a_port_when_asked),
        cmocka_unit_test(accepts_all_that_wait),
        cmocka_unit_test(paused_leaves_them_waiting),
        cmocka_unit_test(may_be_paused_or_closed_while_accepting),
        cmocka_unit_test(running_out_of_descriptors_is_survived),
        cmocka_unit_test(unix_socket_has_its_mode_and_goes_with_the_listener),
        cmocka_unit_test(unix_socket_of_a_dead_process_is_replaced_a_live_one_is_not),
        cmocka_unit_test(activated_sockets_are_found_by_name),
        cmocka_unit_test(an_activated_socket_accepts),
    };
    return cmocka_run_group_tests(tests, make_path, NULL);
}
