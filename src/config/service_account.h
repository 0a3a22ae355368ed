/* service_account.h: the key file of a service account, as Google Cloud hands it out
 * (IAM API, `serviceAccounts.keys.create`, TYPE_GOOGLE_CREDENTIALS_FILE). */
#ifndef SLUICE_SRC_CONFIG_SERVICE_ACCOUNT_H
#define SLUICE_SRC_CONFIG_SERVICE_ACCOUNT_H

#include "reader.h"

/* Fills what follows from g->credentials: client_email, key_id, private_key, tokens, and project
 * unless that is known already. NULL, or a phrase that says what is wrong with the file (never
 * showing any of it). */
const char *service_account_read(struct reader *r, struct google_options *g);

#endif
