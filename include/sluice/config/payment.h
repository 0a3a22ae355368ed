/* payment.h: what a top-up comes to, and the page where it is paid (contract ACCT-2, 2.5 "Top-up fee").
 *
 * The page is somebody else's: a template of its URL in which {amount}, {fee} and {total} (dollars),
 * {account} and {id} stand for what is paid, percent-encoded. */
#ifndef SLUICE_CONFIG_PAYMENT_H
#define SLUICE_CONFIG_PAYMENT_H

#include "sluice/config/snapshot.h"

struct payment {
    uint64_t amount_pd, fee_pd, total_pd;
    struct span id; /* the caller's, or the request's */
};

/* The fee is rounded up to whole cents. */
struct payment payment_of(const struct account_options *a, uint64_t amount_pd, struct span id);

/* NULL, or a phrase that says what is wrong with the template. */
const char *payment_url_problem(const char *url_template);
int payment_write_url(const struct account_options *a, const struct payment *p, struct buf *out)
    __attribute__((warn_unused_result));

#endif
