/* answer_identity.h: what an answer we write says about itself, whoever the upstream was. */
#ifndef SLUICE_CODEC_ANSWER_IDENTITY_H
#define SLUICE_CODEC_ANSWER_IDENTITY_H

#include "sluice/base/span.h"

struct answer_identity {
    struct span id;       /* letters and digits; each protocol puts its prefix before it */
    struct span model;    /* raw inside of a JSON string: the model as the client named it */
    struct span provider; /* its slug, for streams; whole answers get it with their request_id */
    uint64_t created;     /* Unix seconds */
    bool wants_usage;     /* chat streams: the client asked for the usage chunk */
    bool reasons_raw;     /* responses: reasoning is content of its item, not its summary */
    uint64_t ended;       /* Unix seconds, too; known when TURN_END is written, 0 before */
    bool tells_cost;      /* the client asked for it: usage: {include: true} */
    uint64_t ttft_ms;     /* until the first token; what is told beside the cost */
    struct span
        cost; /* `"cost":…,"cost_details":{…}`; known when the end is written, empty before */
    uint64_t prompt; /* tokens, about: for messages streams, which tell before anybody knows */
};

#endif
