/* offload.h: work that would hold the loop longer than a millisecond, on libuv's threads.
 *
 * `work` runs on another thread and touches only what `arg` owns; `done` runs on the loop, exactly
 * once, unless cancelled (then `dropped` is called on the loop once the thread is through, to free
 * `arg`; neither is called within start or cancel). */
#ifndef SLUICE_NET_OFFLOAD_H
#define SLUICE_NET_OFFLOAD_H

#include "sluice/net/loop.h"

/* Of JSON, to be read: what takes about a millisecond. */
#define OFFLOAD_FROM_BYTES (256 * 1024)

struct offload;
struct offload *offload_start(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
                              void (*dropped)(void *arg), void *arg);

/* The same for work on that many bytes. There are four threads, which also look up names and compute
 * handshakes: work on many megabytes gets two of them, and beyond that waits in line. */
struct offload *offload_start_sized(struct loop *l, size_t bytes, void (*work)(void *arg),
                                    void (*done)(void *arg), void (*dropped)(void *arg), void *arg);
void offload_cancel(struct offload *o);

#endif
