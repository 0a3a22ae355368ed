/* turn_event.h: what a model's answer is made of, in no protocol's words.
 *
 * The turn lane translates answers event by event: one reader a protocol turns what an upstream sent
 * into these, one writer a protocol turns these into what a client expects. A whole (not streamed)
 * answer is the same events in a row, so nothing is described twice.
 *
 *   START (TEXT | REASONING | PROOF | REDACTED | CALL | ARGUMENTS | CALL_END | …)* STOP? END
 *   any point: USAGE, FAULT; nothing follows END or FAULT
 *
 * Text travels as *raw* spans: the inside of a JSON string as the sender wrote it, escapes and all,
 * without the quotes. Every protocol here carries text in JSON strings, so a writer copies the bytes
 * and nothing is decoded, re-encoded or lost: not a lone surrogate, not half an escape's meaning.
 * A reader never splits an escape sequence between two events; half a surrogate pair may end one
 * ("\ud83d" then "\ude00"), as upstreams do.
 *
 * Spans are borrowed: they hold until the callback returns. */
#ifndef SLUICE_CODEC_TURN_EVENT_H
#define SLUICE_CODEC_TURN_EVENT_H

#include "sluice/codec/fault.h"
#include "sluice/meter/usage.h"

enum turn_event_kind {
    TURN_START,     /* the upstream accepted: id and model as it names them */
    TURN_TEXT,      /* visible text, which may be empty where it has logprobs; a change of `slot` is
                       a new block (citations end at it) */
    TURN_REFUSAL,   /* text in place of an answer */
    TURN_REASONING, /* visible thinking; a change of `slot` is a new block */
    TURN_PROOF,     /* what proves the reasoning of `slot`: signature or encrypted content */
    TURN_REDACTED,  /* reasoning that is hidden whole: `text` is its opaque data */
    TURN_CALL,      /* a tool call begins in `slot`: id and name are known and not empty */
    TURN_ARGUMENTS, /* the next piece of the call's argument text */
    TURN_CALL_END,  /* no more pieces for `slot`; readers say it only when the upstream did */
    TURN_CITATION,  /* a source of the text of `slot`; see turn_citation */
    TURN_USAGE,     /* counts so far; the last one stands */
    TURN_STOP,      /* why the model stopped; usage may still follow */
    TURN_END,       /* the answer is complete, by the rules of the upstream's protocol */
    TURN_FAULT,     /* the upstream failed in the middle, or broke off */
};

enum turn_stop {
    STOP_NONE,
    STOP_END,      /* the model was done */
    STOP_SEQUENCE, /* `text` of the event: which one, when it is known */
    STOP_LENGTH,   /* its limit of output tokens */
    STOP_CONTEXT,  /* the context window was full */
    STOP_CALLS,    /* it waits for tool results */
    STOP_REFUSAL,  /* it would not, or a filter would not let it */
    STOP_PAUSE,    /* unfinished work of the provider's own tools */
};

struct turn_citation {
    struct span url, title, cited; /* raw */
};

struct turn_event {
    enum turn_event_kind kind;
    /* Which block, from 0 in order of appearance, counted over all kinds: two events with the same
     * slot belong to the same block. Slots of calls may interleave; those of texts do not. */
    unsigned slot;
    struct span text;     /* raw; see the kinds */
    struct span id, name; /* raw; CALL: of the call; START: id of the answer, name of the model */
    enum turn_stop stop;
    struct span native;        /* STOP: the upstream's own word, raw */
    const struct usage *usage; /* USAGE */
    struct turn_citation citation;
    struct span
        logprobs; /* TEXT: of its tokens, where they were asked for; a list, see logprobs.h */
    const struct fault *fault; /* FAULT */
    bool is_custom;            /* CALL: free text instead of JSON arguments */
    /* REASONING, PROOF, REDACTED: whose models can check it (proof.h), a string of the program's.
     * Readers leave it empty where that is who their protocol belongs to. */
    struct span family;
    bool is_of_call; /* PROOF: it lies on the call that begins next, and goes back there */
};

/* Where a reader's events go. It stops reading when this returns false (the exchange is gone). */
typedef bool (*turn_event_fn)(void *arg, const struct turn_event *e);

/* The provider's answer is of no use: a TURN_FAULT (FAULT_UPSTREAM) that says so. Always false, what
 * its caller has to return, whatever `next` does. */
bool turn_event_give_up(turn_event_fn next, void *arg, const char *problem);

#endif
