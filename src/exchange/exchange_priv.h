/* exchange_priv.h: the engine's own structs. One exchange runs its attempts one after the other; an
 * attempt feeds its lane; the lane of the attempt that answers feeds the sink. */
#ifndef SLUICE_EXCHANGE_PRIV_H
#define SLUICE_EXCHANGE_PRIV_H

#include "access_token.h"
#include "admission.h"
#include "blame.h"
#include "captured_answer.h"
#include "continuation.h"
#include "dialect.h"
#include "health.h"
#include "idempotency.h"
#include "own_keys.h"
#include "reading.h"
#include "remote_media.h"
#include "response_cache.h"
#include "sticky.h"
#include "trace.h"
#include "translation.h"

#include "sluice/codec/conversation_id.h"
#include "sluice/codec/estimate_request.h"
#include "sluice/codec/openai_request.h"
#include "sluice/codec/openai_stream.h"
#include "sluice/exchange/exchange.h"
#include "sluice/format/sse.h"
#include "sluice/net/pump.h"
#include "sluice/net/timer.h"
#include "sluice/route/question.h"

enum { ATTEMPTS_MAX = PLAN_ATTEMPTS_MAX, EXCHANGE_ARENA_BYTES = 640 };

/* --- pass lane: pass_lane.c -------------------------------------------------------------------- */

enum lane_kind {
    LANE_NONE,   /* no response head yet */
    LANE_EVENTS, /* an event stream: whole events go on in the turn they arrive */
    LANE_WHOLE,  /* one JSON document: checked before its first byte goes on */
    LANE_BYTES,  /* sound, say: neither of the two, and nobody's business */
    LANE_TURN,   /* another protocol: read, and written anew */
    LANE_ERROR,  /* an answer with a status of 400 or more */
};

struct pass_lane {
    enum lane_kind kind;
    bool withhold_usage; /* we asked for the usage chunk, the client did not */
    bool done, finished; /* [DONE] came; a finish_reason came */
    bool inside_event;   /* part of an unfinished event has gone on */
    bool unread;         /* LANE_WHOLE: too large to hold, so it streams through */
    bool errored;        /* the provider said so itself, inside its stream */
    struct sse sse;
    const struct passing *passing; /* how the protocol says what the meter needs */
    struct openai_prefix *prefix;  /* arena */
    uint64_t sequence;             /* Responses: number of the last event */
    struct span begun;             /* Responses: what response.created held, in the arena */
    struct span beginning;      /* Chat, of a client that asks what it costs: of a chunk; arena */
    struct fault *reported;     /* what the provider's error event said; NULL: none came */
    unsigned retry_after_ms;    /* LANE_ERROR: as the head has it; 0: it does not say */
    struct span error_word;     /* LANE_ERROR: the class of the error, where the head names it */
    struct turn_lane *turn;     /* LANE_TURN */
    struct answer_seam *seam;   /* LANE_TURN, where another endpoint could go on; or NULL */
    struct large_answer *large; /* LANE_WHOLE: being read elsewhere, or sent in pieces */
    const char *type;           /* LANE_BYTES: as the provider says, in `sending` */
    int64_t length;             /* LANE_BYTES: likewise, or LENGTH_UNKNOWN */
    struct buf held;            /* an unfinished event, or the whole document */
    struct buf opening;         /* of a stream, until the first of its content: lanes.h */
};

/* --- one try at one endpoint: attempt.c ------------------------------------------------------------ */

enum attempt_state {
    ATTEMPT_NEW,
    ATTEMPT_CONNECTING, /* waits for an access token or a place in the pool, or is being connected */
    ATTEMPT_WAITING,    /* sent; no response head yet */
    ATTEMPT_STREAMING,  /* the head came */
    ATTEMPT_ENDED,
};

struct demo;
struct inflater;
struct invoke_stream;

struct attempt {
    struct exchange *x;
    const struct target *target;
    unsigned unwanted;                 /* parameters it does not take: they are left out */
    enum place place;                  /* why it is asked now */
    struct own_key *own;               /* the caller's own credential; NULL: the operator's */
    struct provider_runtime *provider; /* with that credential */
    struct health *health;             /* of the target, once somebody is asked; NULL before */
    enum attempt_state state;
    struct token_wait token_wait;
    struct bearer *bearer; /* what the request carries; NULL: the provider's own credential */
    struct ticket *ticket;
    struct client *client;
    struct demo *demo;
    struct inflater *inflater;     /* the provider compresses although asked not to */
    struct invoke_stream *invoked; /* its events come in Bedrock's framing */
    struct dialect dialect;
    struct span path;                /* of the request, behind the provider's prefix */
    struct pump *sending;            /* of a large request, in the exchange's `sending` */
    struct span instead;             /* of the model, in its body: dialect_instead; in x->sending */
    struct translation *translation; /* of the request, when that is not passed on as it is */
    struct deadline deadline;
    uint64_t total_due_ms; /* the provider's total timeout, 0: none */
    uint64_t span;         /* its id in the trace; 0: there is none */
    uint64_t started_us, sent_us, head_us;
    uint32_t connect_us;
    unsigned status;            /* of the response, 0 before */
    enum attempt_result result; /* once ended */
    enum blame blame;           /* once failed */
    uint64_t ended_us;
    bool retried; /* once, on a fresh connection, because a reused one was dead */
    bool paused;  /* the client is slow: the upstream is not read */
    struct span upstream_request_id; /* arena */
    struct span answered_by;         /* the model, if it is traced; arena */
    struct span relayed;             /* field lines of its response; in x->sending */
    /* What the translation left out, as the two fields of the answer have it; in x->sending. */
    struct span dropped, warning;

    /* what was seen of its answer */
    struct pass_lane lane;
    bool keeps_request; /* the answer repeats parts of it: body and x->sending live to the end */
    uint64_t first_token_us, events;
    /* of those from the first token on: how many, their bytes in all, and how many of one are not text */
    uint64_t pieces, content_bytes, frame_bytes;
    struct usage usage;
    char finish_reason[24];
};

/* Why an attempt failed. */
struct attempt_failure {
    enum attempt_result result;
    enum blame blame;
    bool
        passes; /* the provider's own words are in the lane, and may go to the client as they are */
    struct fault fault;
};

/* Its lane is empty, or that of the attempt whose answer it goes on with. */
void attempt_start(struct attempt *a, struct exchange *x, const struct planned_attempt *planned);
/* Gives up what the attempt holds; the result is counted. Idempotent. */
void attempt_end(struct attempt *a, enum attempt_result result);
/* Ends it with a fault that names the provider; another endpoint may be tried. */
void attempt_fail(struct attempt *a, enum attempt_result result, enum fault_kind kind,
                  const char *problem);
/* Its translation is through. */
void attempt_translated(struct attempt *a);
/* All of its answer is here: the connection is free, and no deadline of the provider's runs. */
void attempt_received(struct attempt *a);
/* What is left of its request is about to go: it is copied to where it waits for the socket. */
void attempt_send_rest(struct attempt *a);
/* What its body is to say. */
struct openai_wanted attempt_wanted(const struct attempt *a);
void attempt_pause(struct attempt *a);
void attempt_resume(struct attempt *a);
/* What was used so far costs that much. */
struct cost attempt_cost(const struct attempt *a);
/* From its request to the first token, or to now. */
uint64_t attempt_ttft_ms(const struct attempt *a);
/* Where the provider has not counted all that came of it, that is estimated. `is_whole`: it has ended as
 * it should, so what the provider says is final. */
void attempt_estimate_usage(struct attempt *a, bool is_whole);
/* How it went, for records: with this result, until this time (clock_us). */
struct fault_attempt attempt_told(const struct attempt *a, enum attempt_result result,
                                  uint64_t until_us);
/* What its request carried that nobody may see. */
const struct secret *attempt_secret(const struct attempt *a);
/* What a provider (or the demo provider) answers. */
bool attempt_on_head(struct attempt *a, const struct http_head *head);
void attempt_on_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
void attempt_on_broken(struct attempt *a, const char *problem);

/* --- what an answer comes wrapped in: unwrap.c ------------------------------------------------------- */

/* By the answer's head, once it is known which lane reads it. False: the attempt has failed. */
bool unwrap_open(struct attempt *a, const struct http_head *head);
/* Hands what was inside to the lane, or tells the attempt that it is broken. */
void unwrap_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
void unwrap_close(struct attempt *a);
void unwrap_free_buffer(void); /* at exit */

/* --- the demo provider: demo.c --------------------------------------------------------------- */

/* `body`: the request in OpenAI's shape; not needed after the call. */
struct demo *demo_start(struct attempt *a, struct span body);
void demo_stop(struct demo *d);
void demo_pause(struct demo *d, bool paused);

/* --- the exchange ---------------------------------------------------------------------------- */

enum exchange_state {
    EXCHANGE_OPEN,
    EXCHANGE_READING,  /* its body, perhaps on another thread */
    EXCHANGE_CLAIMING, /* it has an idempotency key: is it the first? */
    EXCHANGE_ADMITTING,
    EXCHANGE_ATTEMPTING,
    EXCHANGE_ANSWERING, /* the client has seen a byte of the answer's body: no other attempt, but one
                           that goes on with it (continuation.h) */
    EXCHANGE_ENDED,
};

struct exchange {
    struct gateway *gateway;
    struct deployment *deployment;
    struct exchange *prev, *next; /* gateway->exchanges */
    struct sink *sink;
    const struct exchange_kind *kind;
    enum exchange_state state;
    bool head_sent;      /* the answer's head went out, perhaps only for a keep-alive comment */
    bool is_stream;      /* counted in gateway->streams */
    bool replays_stream; /* what it is given again was one */
    struct later later;

    struct reading *reading; /* of the body, while that is on another thread */
    const struct key_options *key;
    struct managed_key *managed_key;     /* whose version `key` is; NULL: the snapshot's */
    struct conversation_id conversation; /* where somebody could stay with it */
    struct sticky sticky;
    struct admission admission;
    struct idempotency *idempotency;  /* arena; NULL: it has no key */
    struct response_cache *cache;     /* arena; NULL: not asked for */
    struct captured_answer *captured; /* or NULL */
    struct replay *replay;            /* of a large answer; or NULL */

    /* What another attempt would need; gone with the first byte of the answer, so that an open
     * stream holds neither its prompt nor the words of its head. */
    struct body body;
    struct remote_media *media; /* files it names by URL, once an attempt needed them; or NULL */
    struct arena sending;
    struct openai_request *request; /* in `sending`, from run on */
    struct span forward;            /* field lines of the request for the upstream; in `sending` */
    struct span boundary;           /* of a body that is a form; in `sending` */
    struct span session; /* the conversation's name, where the head has one; in `sending` */
    struct span betas;   /* what anthropic-beta among them lists */
    bool says_version;   /* anthropic-version is among them */
    struct span fields;  /* field lines every answer carries; in `sending` */

    bool wants_stream, wants_usage, wants_cost; /* what the request says */
    bool keeps_nothing; /* zero data retention: its answer must not be written down */
    bool skips_cache;   /* it wants an answer made for it */
    bool wants_reasons; /* the answer's head says why it came from where it did */
    bool may_hedge;
    struct estimate_request *estimate; /* in `sending`; NULL: nothing is to be estimated */
    struct estimating *estimating;     /* arena; likewise */
    uint64_t prompt_tokens; /* as a request to explain says; 0: as many as it looks like */
    bool holds_proofs;      /* of reasoning, in our wrapping: nobody else can read them */
    unsigned shown;         /* enum modality: what its messages hold, where any endpoint minds */
    bool holds_urls;        /* Messages: something is named by its URL */
    bool is_continuable;    /* another endpoint could go on with an answer to it: turn_prefill.h */
    bool continues;         /* and may */
    struct continuation *continuation; /* arena; NULL: there is to be none */
    struct exchange_hook *hook;        /* to be told of the end, or NULL */
    const struct target *trial; /* the only one to be asked, and with the caller's own; or NULL */
    struct own_keys *own_keys;  /* the plan's */
    struct own_key *const *own; /* of those, the caller's, by provider; NULL: it has none */
    struct plan plan;
    unsigned nattempts;          /* started so far */
    struct fault_attempt *tried; /* those that came to nothing, ATTEMPTS_MAX at most; arena */
    unsigned ntried;
    unsigned retry_after_ms;  /* the shortest wait any of them asked for; 0: none did */
    struct fault *first_said; /* of those that failed; arena */
    struct attempt *attempt;  /* the one under way, or that answers; never NULL */
    struct attempt *rival;    /* beside it, until one of the two has content: hedge.h; or NULL */
    struct attempt first;     /* where `attempt` lies, unless that was a rival */
    struct hedge *hedge;      /* arena; NULL: there is to be none */

    struct deadline total, keepalive;
    unsigned signs_of_life; /* since the client last got anything else */

    /* what the record will say */
    char request_id[33];
    struct span fixed_model;             /* by the path, empty: the body names it; arena */
    struct span subject;                 /* what else the path names; arena */
    const char *place;                   /* the path of its row; NULL: nobody said */
    struct span client_request_id, path; /* arena */
    struct trace *trace;                 /* arena; NULL: it is of no trace */
    enum http_method method;
    uint64_t opened_us, opened_unix_ms, dispatched_us, first_write_us;
    uint64_t bytes_in;
    uint64_t data_bytes; /* of these: pictures and sound in base64, which are not read as text */
    unsigned status;
    const char *error_type;
    struct cost cost;
    uint64_t overhead_us, ttft_us; /* once settle_times has run */
    bool has_times;
    enum outcome outcome;

    struct arena arena;
    uint8_t arena_bytes[EXCHANGE_ARENA_BYTES];
};

/* An estimate of a prompt's tokens, which says that it is one: the provider has no counter. */
void exchange_count_here(struct exchange *x);
/* The next of the plan. */
void exchange_attempt_next(struct exchange *x);
/* The attempt cannot go on: the next one, or the end. retry.c */
void exchange_attempt_failed(struct attempt *a, const struct attempt_failure *f);
/* Sends the answer's head, with the upstream's fields where there are any. */
void exchange_send_head(struct exchange *x, unsigned status, const char *content_type,
                        int64_t content_length);
/* An answer that was kept is about to go out in place of one. */
void exchange_begin_replay(struct exchange *x);
/* For what belongs to no answer: the client's sink, whether or not what goes there is captured. */
static inline struct sink *exchange_bare_sink(const struct exchange *x)
{
    return x->captured != NULL ? x->captured->behind : x->sink;
}
/* The first byte of its answer is about to go out, behind the head, unless that is gone already: no
 * other attempt from here on. Nothing more happens when it is told again. */
void exchange_begin_answer(struct attempt *a, unsigned status, const char *content_type,
                           int64_t content_length);
/* Nobody needs what was asked any more. */
void exchange_let_go_of_request(struct exchange *x);
/* The attempt has come to nothing: for the record, and for an error that names all. */
void exchange_note_tried(struct attempt *a, enum attempt_result result, uint64_t estimated_cost_pd);
/* About how many tokens its prompt has; 0: nobody can tell. */
static inline uint64_t exchange_prompt_estimate(const struct exchange *x)
{
    if (x->prompt_tokens > 0)
        return x->prompt_tokens;
    return api_takes_form(x->kind->api) ? 0 : question_tokens(x->bytes_in - x->data_bytes);
}
/* What its account pays of a price, in millionths. */
static inline uint32_t exchange_discount_ppm(const struct exchange *x)
{
    return x->deployment->snapshot->account.discount_ppm;
}
/* Everything has been handed to the sink. */
void exchange_finish(struct exchange *x);
/* Its answer is, or is to be, a stream of events: counted, and kept alive. */
void exchange_set_stream(struct exchange *x, bool is_stream);
void exchange_note_activity(
    struct exchange *x); /* something went to the client: no comment is due */

/* pass_lane.c */
void lane_open(struct attempt *a, const struct http_head *head);
void lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
/* The upstream broke: how that looks from the lane. False when the lane had all it needs, and
 * has finished the exchange. */
bool lane_broken(struct attempt *a);
/* Something for a client that has heard nothing for a while. */
void lane_show_life(struct exchange *x);
void lane_reset(struct pass_lane *l);
/* The client takes more of an answer that has been received. */
void lane_go_on(struct pass_lane *l);
/* The attempt is over: work of its lane on another thread concerns nobody any more. */
void document_lane_let_go(struct pass_lane *l);
/* Ends a stream that has begun with the fault in it. */
void lane_end_with_fault(struct exchange *x, const struct fault *why);

/* turn_lane.c, at exit */
void turn_lane_free_buffer(void);

/* answer.c */
struct span answer_fields(const struct exchange *x, const char *content_type);
struct span answer_forwardable(const struct http_head *head, const struct secret *scrub,
                               struct span *upstream_request_id);
/* What goes along with an error of ours, in `sending`: the provider's limits where the client knows
 * their names, and whether to ask again, and when. */
struct span answer_fault_fields(struct exchange *x, const struct fault *why);
/* `relayed` with this wait in place of the provider's, in `sending`. */
struct span answer_with_wait(struct attempt *a, unsigned retry_after_ms);
/* Appends those of the lines that belong to the answer, whoever gets it: not to one request, to its limits
 * or to the page it came from. 0 or -ENOMEM. */
int answer_lasting_fields(struct span lines, struct buf *out) __attribute__((warn_unused_result));
/* Those again, with what belongs to this request; `more` are lines, too. */
struct span answer_replayed_fields(const struct exchange *x, struct span lasting, struct span more);

/* settle.c */
void settle(struct exchange *x);
/* What it took to begin the answer, of the attempt under way; the first call counts. */
void settle_times(struct exchange *x);

#endif
