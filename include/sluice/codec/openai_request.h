/* openai_request.h: what the gateway reads in a request body of any protocol, and the few bytes it changes.
 *
 * One pass over the body notes where the members we act on lie. The pass lane then splices: members
 * that are the gateway's own are removed, `model` becomes the upstream's name, and a stream is asked for
 * its usage. Every other byte goes on as the client wrote it (design.md, pass lane). */
#ifndef SLUICE_CODEC_OPENAI_REQUEST_H
#define SLUICE_CODEC_OPENAI_REQUEST_H

#include "sluice/base/arena.h"
#include "sluice/codec/asked.h"
#include "sluice/codec/cache_strategy.h"
#include "sluice/codec/conversation_id.h"
#include "sluice/codec/fault.h"
#include "sluice/format/json_splice.h"

/* Each member we act on once, with room for some repetition. */
#define OPENAI_NOTED_MAX 12
/* The same for parameters that some endpoint may not take. */
#define OPENAI_PARAMETERS_MAX 32

enum noted_role {
    NOTED_MODEL,
    NOTED_STREAM_OPTIONS,
    NOTED_STORE,
    NOTED_INCLUDE,
    NOTED_GATEWAY_ONLY,
    /* Messages, where a cloud has its own place for them */
    NOTED_STREAM,
    NOTED_VERSION, /* anthropic_version */
    NOTED_BETAS,   /* anthropic_beta */
};

/* A parameter that some endpoint may not take: few requests have many. */
struct noted_parameter {
    struct noted_parameter *next;
    struct json_member member;
    unsigned params; /* bits of enum capability */
};

struct openai_request {
    struct span model; /* who is asked */
    struct span named; /* by the body, decoded: in it when it has no escapes, else in the arena */
    bool stream;
    bool wants_usage;   /* the client asked for the usage chunk itself */
    bool wants_cost;    /* usage: {include: true} */
    bool wants_base64;  /* embeddings: vectors as base64 rather than numbers */
    bool lacks_model;   /* the path names it, or `models` does; the body has none */
    bool takes_default; /* nobody says which model: the configuration's for any task */
    bool wants_text;    /* transcriptions: the answer is to be no JSON */
    bool wants_task;    /* images: an answer later, which a path that fixes the model has not */
    bool has_subject;   /* what the request is about is there: messages, prompt or input */
    bool has_options;   /* stream_options is there */
    bool needs_asking;  /* a stream of this API says its usage only when it is asked to */
    bool is_kept;   /* Responses: by the provider, for nobody said otherwise (store, background) */
    bool has_store; /* store is there, null perhaps */
    bool has_include;    /* include is there, null perhaps */
    uint64_t characters; /* speech: of the text */
    struct asked asked;
    struct conversation_clues clues; /* in the body */
    struct span idempotency_key;     /* decoded; NULL when absent */
    enum cache_strategy cache;
    struct span provider,
        models;  /* whom the client wants: the members' values, empty when absent */
    size_t open; /* offset behind the opening brace */
    struct {
        struct json_member member;
        enum noted_role role;
    } noted[OPENAI_NOTED_MAX];
    unsigned nnoted;
    struct noted_parameter *parameters, *last_parameter; /* in their order; in the arena */
    unsigned nparameters;
    struct span include_usage; /* the value inside stream_options, NULL when absent */
    struct span boundary;      /* of a form (form_request.h), else empty */
    struct span betas;         /* the value of anthropic_beta when it is an array, else empty */
};

/* False with *why (a 400 that names the member). */
bool openai_request_read(struct span body, enum api_protocol api, struct arena *a,
                         struct openai_request *out, struct fault *why);

/* The same for a request whose path fixes the model (contract 1.2): the body may leave it out, and whether
 * it may name the one it does is not looked into. `model` outlives `out`. */
bool openai_request_read_for(struct span model, struct span body, enum api_protocol api,
                             struct arena *a, struct openai_request *out, struct fault *why);

/* The same for a request that need not name one: it takes the configuration's choice. */
bool openai_request_read_open(struct span body, enum api_protocol api, struct arena *a,
                              struct openai_request *out, struct fault *why);

/* The member of that name which is the gateway's own and no provider's; NULL when it is none. */
const char *openai_request_own_member(struct span raw_key);

/* The value of one of them, `idempotency_key` or `cache_strategy`, as text without quotes; others are
 * passed over. False with *why. */
bool openai_request_read_own(struct openai_request *r, const char *own, struct span text,
                             struct fault *why);

/* Can a model be called so? False with *why. */
bool openai_request_check_name(struct span name, struct fault *why);

/* Does it have the member it is about? False with *why, a 400. */
bool openai_request_is_complete(const struct openai_request *r, enum api_protocol api,
                                struct fault *why);

/* A copy whose own things lie in another arena; what lies in the body stays there. */
struct openai_request *openai_request_keep(const struct openai_request *r, struct arena *a);

/* What the upstream's body is to say. */
struct openai_wanted {
    struct span model; /* as the upstream calls it */
    /* Where the path names the model: the members in its place, the version among them; else empty. */
    struct span instead;
    bool invokes;            /* the path says `stream`, too, and the betas are in `instead` */
    bool keeps_nothing;      /* a Responses request that leaves it open is not to be stored */
    bool encrypts_reasoning; /* ... and what it thought is to come along, for the next turn */
    unsigned unwanted;       /* bits of enum capability: parameters it must not have */
};

/* The edits that turn the client's body, a complete one, into the one for an upstream. Replacement text
 * is made in the arena. */
void openai_request_splice(const struct openai_request *r, struct span body,
                           const struct openai_wanted *wanted, struct arena *a,
                           struct json_splice *out);

#endif
