/* answer_identity.h: what an answer we write says about itself, whoever the upstream was. */
#ifndef SLUICE_CODEC_ANSWER_IDENTITY_H
#define SLUICE_CODEC_ANSWER_IDENTITY_H

#include "sluice/base/span.h"

struct answer_identity {
    struct span id;    /* letters and digits; each protocol puts its prefix before it */
    struct span model; /* raw inside of a JSON string: the model as the client named it */
    uint64_t created;  /* Unix seconds */
    uint64_t ended;    /* the same; known when TURN_END is written, 0 before */
    bool wants_usage;  /* chat streams: the client asked for the usage chunk */
};

#endif
