/* presets.h: what is known about providers without being told. Facts, checked 2026-11 against the
 * providers' own documentation; a file may override every one of them. */
#ifndef SLUICE_SRC_CONFIG_PRESETS_H
#define SLUICE_SRC_CONFIG_PRESETS_H

#include "sluice/config/snapshot.h"

struct preset {
    const char *name;     /* what a provider is called that has no other name */
    const char *slug;     /* what callers call it (contract 0.8); NULL: its name */
    const char *also;     /* more names, a space between them; NULL: none */
    const char *variable; /* where the key usually is; NULL: none is needed */
    const char *base_url; /* NULL: depends on the account, must be given */
    enum protocol protocol;
    enum auth_kind auth;
    const char *auth_header; /* of AUTH_HEADER */
    bool has_responses;      /* it answers the Responses protocol, too */
    bool is_shared; /* the variable is of other use, too: finding it makes no provider by itself */
    unsigned yes, no; /* enum model_fact: what all its models take, or do not */
};

extern const struct preset presets[];
extern const unsigned npresets;

const struct preset *preset_find(const char *name); /* NULL when unknown */
/* The known name that is most like this one, or NULL. */
const char *preset_suggest(const char *name);

#endif
