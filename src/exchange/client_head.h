/* client_head.h: what the head of a request says to the gateway, and what of it goes on to a provider. */
#ifndef SLUICE_SRC_EXCHANGE_CLIENT_HEAD_H
#define SLUICE_SRC_EXCHANGE_CLIENT_HEAD_H

struct exchange;
struct http_head;

/* Once, when it is opened. Keeps what it needs: the head may go. */
void client_head_read(struct exchange *x, const struct http_head *head);

#endif
