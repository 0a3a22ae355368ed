/* address.h: where to listen, from text to a listening socket, for listener.c. */
#ifndef SLUICE_NET_ADDRESS_H
#define SLUICE_NET_ADDRESS_H

#include "sluice/base/err.h"

#include <stdbool.h>
#include <sys/socket.h>

struct bound {
    sa_family_t family;
    char text[128];    /* as it came out: the real port instead of 0 */
    char *socket_file; /* ours to remove, or NULL */
};

/* A non-blocking listening socket, or -1 and *why. Forms: listener.h. */
int address_listen(const char *address, bool reuse_port, unsigned unix_mode, struct bound *out,
                   struct err *why);
/* Removes the socket file, unless another process has put its own there meanwhile. */
void address_release(struct bound *b);

#endif
