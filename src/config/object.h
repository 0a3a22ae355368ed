/* object.h: what objects of the file do beyond their rows: defaults that depend on other members,
 * and checks that look at more than one. Used by the table only. */
#ifndef SLUICE_SRC_CONFIG_OBJECT_H
#define SLUICE_SRC_CONFIG_OBJECT_H

#include "reader.h"

void listener_tls_finish(struct reader *r, const struct node *n, void *at);
void cors_finish(struct reader *r, const struct node *n, void *at);
void listener_finish(struct reader *r, const struct node *n, void *at);
void fetch_finish(struct reader *r, const struct node *n, void *at);
void upstream_tls_finish(struct reader *r, const struct node *n, void *at);
void google_finish(struct reader *r, const struct node *n, void *at);
void provider_begin(const struct node *n, void *at);
void provider_finish(struct reader *r, const struct node *n, void *at);
void endpoint_begin(const struct node *n, void *at);
void model_finish(struct reader *r, const struct node *n, void *at);
void account_finish(struct reader *r, const struct node *n, void *at);
void plan_begin(const struct node *n, void *at);
void plan_finish(struct reader *r, const struct node *n, void *at);
void key_finish(struct reader *r, const struct node *n, void *at);
void tracing_finish(struct reader *r, const struct node *n, void *at);
void store_finish(struct reader *r, const struct node *n, void *at);
/* Replaces the listeners by one that serves everything a client needs. */
void snapshot_listen_on(struct reader *r, const struct node *at, const char *address);
/* That every plan that is named is one, and what keys may begin with. */
void plans_check(struct reader *r, const struct node *root);
void root_finish(struct reader *r, const struct node *n, void *at);

#endif
