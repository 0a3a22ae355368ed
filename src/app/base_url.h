/* base_url.h: where a running sluice is, as the command line says it.
 *
 * "http://host[:port][/prefix]", "https://…", or "unix:/path[:/prefix]". The prefix is what an
 * OpenAI client's base_url ends in, usually "/v1"; a missing one is taken for "/v1". */
#ifndef SLUICE_APP_BASE_URL_H
#define SLUICE_APP_BASE_URL_H

#include "sluice/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BASE_URL_DEFAULT "http://127.0.0.1:4000/v1"

struct base_url {
    bool https;
    char host[256]; /* without brackets; "" for a unix socket */
    uint16_t port;
    char unix_path[108]; /* "" unless unix: */
    char host_header[272];
    char prefix[256]; /* begins with a slash and does not end in one */
    char root[256];   /* the prefix without its "/v1": probes and administration lie there */
};

/* 0, or -EINVAL and *why. */
int base_url_parse(const char *text, struct base_url *out, struct err *why)
    __attribute__((warn_unused_result));

#endif
