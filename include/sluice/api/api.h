/* api.h: from method and path to what answers.
 *
 * One table of rows (table.c) for everything the process serves; each listener serves a selection of
 * it. A row that reaches a provider becomes an exchange; the others are answered on the spot. */
#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "sluice/exchange/exchange.h"

/* What the process tells of itself, provided by app/. */
struct api_process {
    /* Ready to take traffic? `detail` gets a JSON object of the single checks. */
    bool (*ready)(void *arg, struct buf *detail);
    void (*before_scrape)(void *arg); /* brings gauges up to date */
    /* Loads the configuration again: 0, or negative with the findings in `report`. */
    int (*reload)(void *arg, struct buf *report);
    void *arg;
};

/* One listener's view of the table; the context of its server's handler. */
struct api {
    struct gateway *gateway;
    const struct api_process *process;
    unsigned serves;               /* SERVES_* */
    struct text_list cors_origins; /* of the current snapshot */
    bool is_local;                 /* loopback or unix socket: admin rows need no token there */
};

extern const struct server_handler api_handler; /* ctx is a struct api */

#endif
