/* bench/watch.h: what other processes have used: CPU to the nanosecond, memory to the page.
 *
 * Read by the load generator itself, so that the figures cover exactly its measured window. */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <stdint.h>

enum { WATCH_MAX = 16 };

struct watch {
    int pid[WATCH_MAX];
    unsigned count;
};

struct watch_memory {
    uint64_t rss_kb; /* summed over the processes: pages they share count for each */
    uint64_t pss_kb; /* shared pages divided among those who share them */
    uint64_t anonymous_kb;
};

/* On a CPU since they started, all threads: /proc/PID/task/TID/schedstat. */
uint64_t watch_cpu_ns(const struct watch *w);

struct watch_memory watch_memory(const struct watch *w); /* /proc/PID/smaps_rollup */

#endif
