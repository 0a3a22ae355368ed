/* offload.h: work that would hold the loop longer than a millisecond, on libuv's threads.
 *
 * `work` runs on another thread and touches only what `arg` owns; `done` runs on the loop, exactly
 * once, unless cancelled (then `dropped` is called on the loop once the thread is through, to free
 * `arg`). */
#ifndef SLUICE_NET_OFFLOAD_H
#define SLUICE_NET_OFFLOAD_H

#include "sluice/net/loop.h"

struct offload;
struct offload *offload_start(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
                              void (*dropped)(void *arg), void *arg);
void offload_cancel(struct offload *o);

#endif
