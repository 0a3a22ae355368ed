/* key_calls.h: keys of a running gateway (/v1/keys), from the command line. */
#ifndef SLUICE_APP_KEY_CALLS_H
#define SLUICE_APP_KEY_CALLS_H

#include "cli.h"

/* `keys create` at the gateway that --url names. The exit code. */
int key_calls_create(const struct cli *cli, const char *name);

#endif
