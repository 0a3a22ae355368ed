#include "process.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"

#include <stdlib.h>
#include <string.h>

static bool is_local_address(const char *address)
{
    struct span a = span_text(address);
    return span_starts(a, SPAN_LIT("127.")) || span_starts(a, SPAN_LIT("[::1]")) ||
           span_starts(a, SPAN_LIT("localhost:")) || span_starts(a, SPAN_LIT("unix:"));
}

static struct server_limits limits_of(const struct snapshot *s)
{
    return (struct server_limits){
        .head = {.head_max = s->server.header_max_bytes, .field_max = s->server.headers_max},
        .header_timeout_ms = s->server.header_timeout_ms,
        .body_timeout_ms = s->server.body_timeout_ms,
        .idle_timeout_ms = s->server.idle_timeout_ms,
        .write_timeout_ms = s->server.write_timeout_ms,
    };
}

static void on_accepted(void *arg, struct stream *stream)
{
    struct port *port = arg;
    server_accept(port->server, stream);
}

static struct port *port_find(struct process *p, const char *address)
{
    for (struct port *port = p->ports; port != NULL; port = port->next) {
        if (strcmp(port->address, address) == 0)
            return port;
    }
    return NULL;
}

static int tls_of(const struct listener_options *o, struct tls_context **out, struct err *why)
{
    *out = NULL;
    if (o->tls.cert == NULL)
        return 0;
    struct tls_server_config c = {
        .cert_file = o->tls.cert,
        .key_file = o->tls.key != NULL ? o->tls.key : o->tls.cert,
        .tls13_min = o->tls.tls13_min,
    };
    *out = tls_context_server(&c, why);
    return *out != NULL ? 0 : -1;
}

static struct port *port_open(struct process *p, const struct snapshot *s,
                              const struct listener_options *o, struct tls_context *tls,
                              struct err *why)
{
    struct port *port = xcalloc(1, sizeof *port);
    struct listener_config c = {
        .address = o->address,
        .tls = tls,
        .unix_mode = o->mode,
        .reuse_port = o->reuse_port,
        .handshake_timeout_ms = s->server.header_timeout_ms,
    };
    struct server_limits limits = limits_of(s);
    port->listener = listener_open(p->loop, &c, on_accepted, port, why);
    if (port->listener == NULL) {
        free(port);
        return NULL;
    }
    port->address = xstrdup(o->address);
    port->api = (struct api){.gateway = &p->gateway, .process = &p->api};
    port->server = server_new(&p->gateway.http, &limits, &api_handler, &port->api);
    log_info("listening", "address=%s name=%s tls=%s", listener_address(port->listener), o->name,
             tls != NULL ? "yes" : "no");
    return port;
}

/* What may change while the address stays. */
static void port_configure(struct port *port, const struct snapshot *s,
                           const struct listener_options *o, struct tls_context *tls)
{
    struct server_limits limits = limits_of(s);
    free(port->name);
    port->name = xstrdup(o->name);
    port->api.serves = o->serves;
    port->api.cors_origins = o->cors_origins;
    port->api.is_local = is_local_address(o->address);
    server_set_limits(port->server, &limits);
    listener_set_tls(port->listener, tls);
}

/* The server frees itself with its last connection, and those may outlive the port's own memory
 * only as long as they answer: they keep using port->api, so the port stays until the end. */
static void port_retire(struct port *port)
{
    if (port->listener == NULL)
        return;
    log_info("not listening any more", "address=%s", listener_address(port->listener));
    listener_close(port->listener);
    port->listener = NULL;
    server_drain(port->server);
}

static int apply_one(struct process *p, const struct snapshot *s, const struct listener_options *o,
                     struct err *why)
{
    struct tls_context *tls;
    if (tls_of(o, &tls, why) < 0)
        return -1;
    struct port *port = port_find(p, o->address);
    if (port == NULL || port->listener == NULL) {
        port = port_open(p, s, o, tls, why);
        if (port != NULL) {
            port->next = p->ports;
            p->ports = port;
        }
    }
    if (port != NULL) {
        port_configure(port, s, o, tls);
        port->wanted = true;
    }
    tls_context_unref(tls); /* the listener has its own reference */
    return port != NULL ? 0 : -1;
}

int ports_apply(struct process *p, const struct snapshot *s, struct err *why)
{
    for (struct port *port = p->ports; port != NULL; port = port->next)
        port->wanted = false;
    for (unsigned i = 0; i < s->nlisteners; i++) {
        if (apply_one(p, s, &s->listeners[i], why) < 0)
            return -1;
    }
    for (struct port *port = p->ports; port != NULL; port = port->next) {
        if (!port->wanted)
            port_retire(port);
    }
    return 0;
}

void ports_stop_accepting(struct process *p)
{
    for (struct port *port = p->ports; port != NULL; port = port->next)
        port_retire(port);
}

void ports_close(struct process *p)
{
    while (p->ports != NULL) {
        struct port *port = p->ports;
        p->ports = port->next;
        port_retire(port);
        server_close(port->server);
        free(port->address);
        free(port->name);
        free(port);
    }
}
