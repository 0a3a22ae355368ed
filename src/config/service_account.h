/* service_account.h: the key file of a service account, as Google Cloud hands it out
 * (IAM API, `serviceAccounts.keys.create`, TYPE_GOOGLE_CREDENTIALS_FILE). */
#ifndef SLUICE_SRC_CONFIG_SERVICE_ACCOUNT_H
#define SLUICE_SRC_CONFIG_SERVICE_ACCOUNT_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

/* Fills what follows from g->credentials: client_email, key_id, private_key (the caller's to wipe),
 * tokens, and project and region unless those are known already. NULL, or a phrase that says what is
 * wrong with the file (never showing any of it). */
const char *service_account_read(struct arena *a, struct google_options *g);

#endif
