/* store_bed.h: what the store's tests stand on: a loop, a captured log, a real redis-server. */
#ifndef SLUICE_TEST_STORE_BED_H
#define SLUICE_TEST_STORE_BED_H

#include "sluice/net/dial.h"
#include "sluice/net/loop.h"
#include "sluice/store/records.h"
#include "sluice/store/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct bed {
    struct loop *loop;
    struct metric_registry *metrics;
    char directory[64]; /* temporary; holds everything below */
    int log_fd;
    int redis_pid;
    uint16_t redis_port;
    bool redis_tls, redis_users;
};

/* The user the Redis of `redis_users` asks for; its default user is off. */
#define BED_USER "gateway"
#define BED_PASSWORD "hunter2-is-a-canary"

void bed_open(struct bed *b);
void bed_close(struct bed *b); /* fails the test when something is still open on the loop */

/* Empty, on a free port (the same one at the next start) and on a unix socket. Waits until it answers.
 * `tls`: the port speaks TLS only. */
void bed_redis_start(struct bed *b, bool tls, bool users);
void bed_redis_start_again(struct bed *b); /* after bed_redis_kill: same place, nothing in it */
void bed_redis_signal(struct bed *b, int signal);
void bed_redis_kill(struct bed *b);
/* One command through redis-cli (and the unix socket); what it printed goes to `out`. */
void bed_redis_cli(struct bed *b, const char *words, char *out, size_t size);

/* Options for the Redis above. Strings live until the next call with the same bed. */
struct store_options bed_redis_options(struct bed *b, bool over_unix);

/* Runs the loop until `true` (asked every millisecond) or the time is over; returns which. */
typedef bool (*bed_condition)(void *arg);
bool bed_run_until(struct bed *b, bed_condition met, void *arg, unsigned ms);
void bed_run_for(struct bed *b, unsigned ms);

struct store *bed_store_open(struct bed *b, const struct store_options *o);
/* Waits until the store answers itself. */
void bed_store_connected(struct bed *b, struct store *s);

/* The calls, waited for. `value`: a copy in the bed's own buffer, gone with the next call. */
struct admit_query bed_query(const char *scope, unsigned rpm, uint64_t now_unix_ms);
struct admit_answer bed_admit(struct bed *b, struct store *s, const char *scope, unsigned rpm,
                              uint64_t now_unix_ms);
struct admit_answer bed_ask(struct bed *b, struct store *s, const struct admit_query *q);
struct ledger_counts bed_look(struct bed *b, struct store *s, const char *scope,
                              uint64_t now_unix_ms);
struct credit_answer bed_credit(struct bed *b, struct store *s, const char *scope, const char *id,
                                int64_t pd);
void bed_settle(struct store *s, const struct admit_answer *a, uint64_t now_unix_ms,
                uint64_t tokens, uint64_t cost_pd);
/* Waits until Redis has been told everything. */
void bed_all_told(struct bed *b);
struct value_answer bed_get(struct bed *b, struct store *s, struct span key);

/* What the channel "talk" brings from *from on, which moves; as texts with a blank behind each. NULL: the
 * store is away. */
const char *bed_hear(struct bed *b, struct store *s, struct store_place *from);

/* One suite for several backends: every case on this one, whose name goes before theirs; `start` finds
 * `backend` in its *state. How many failed. */
struct bed_case {
    const char *name;
    CMUnitTestFunction run;
};
#define BED_CASE(test) {#test, test}
enum { BED_CASES_MAX = 64 };
int bed_run_cases(const char *name, void *backend, const struct bed_case *cases, unsigned n,
                  CMFixtureFunction start, CMFixtureFunction stop);

double bed_errors(struct bed *b); /* sluice_store_errors_total */
/* How often `text` is in the log so far. */
unsigned bed_log_count(struct bed *b, const char *text);

uint16_t bed_free_port(void);

#endif
