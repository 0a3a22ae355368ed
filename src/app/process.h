/* process.h: the running server: what serve.c makes, reload.c changes, drain.c ends. */
#ifndef SLUICE_APP_PROCESS_H
#define SLUICE_APP_PROCESS_H

#include "sluice/api/api.h"
#include "sluice/exchange/endpoint_gauges.h"
#include "sluice/net/listener.h"
#include "sluice/net/timer.h"

/* One address we listen on. Lives across reloads as long as the address is configured. */
struct port {
    struct port *next;
    char *address, *name;
    struct listener *listener;
    struct server *server;
    struct api api;
    bool wanted; /* scratch of ports_apply */
};

enum process_state { PROCESS_STARTING, PROCESS_SERVING, PROCESS_DRAINING, PROCESS_STOPPED };

struct process {
    struct loop *loop;
    struct gateway gateway;
    struct api_process api;
    struct port *ports;
    enum process_state state;
    struct load_options load;
    uint64_t generation;
    bool watching;
    uv_fs_event_t directory;
    uv_fs_poll_t file;
    struct deadline changed; /* a change was seen: reload once it is quiet */
    struct file_stamp {
        uint64_t inode, size, mtime_ns;
    } loaded; /* the file as it was when it was last read: one change is often told twice */
    uv_signal_t signals[3];
    struct deadline drain, watchdog;
    uint64_t drain_until_ms;
    struct metric_series *reload_successful, *hash_info;
    struct metric_family *hash_family;
    struct metric_series *resident, *virtual_memory, *cpu, *descriptors, *descriptors_max;
    struct metric_family *pools;
    struct endpoint_gauges *endpoint_gauges;
};

/* serve.c: runs until it is told to stop; returns the exit code. */
int serve(const struct load_options *load, bool watch);
void log_follow(const struct observability_options *o); /* level and format of the log */

/* ports.c: opens, changes and closes listeners so that they are those of the snapshot. -1 and *why
 * when an address cannot be used; those that were open stay. */
int ports_apply(struct process *p, const struct snapshot *s, struct err *why)
    __attribute__((warn_unused_result));
void ports_stop_accepting(struct process *p);
void ports_close(struct process *p);

/* reload.c */
int reload(struct process *p, struct buf *report); /* the findings as JSON; 0 or negative */
void reload_watch(struct process *p);
void reload_unwatch(struct process *p);
/* Puts a snapshot to work (start and reload alike). */
int reload_install(struct process *p, struct snapshot *s, struct err *why)
    __attribute__((warn_unused_result));

/* drain.c */
void drain_begin(struct process *p); /* the second call stops at once */

/* self.c: the process_* metrics, and gauges that are read when somebody asks. */
void self_declare(struct process *p);
void self_measure(struct process *p);

/* notify.c: systemd's notification protocol (sd_notify(3)), without its library. */
void notify_systemd(const char *state); /* "READY=1\nSTATUS=…"; nothing when not asked for */
void notify_reloading(void);            /* with the time that Type=notify-reload asks for */
unsigned notify_watchdog_ms(void);      /* how often to say WATCHDOG=1; 0: not wanted */

#endif
