/* turn_request.h: a request for one turn of a conversation, in no protocol's words.
 *
 * Each client protocol has a reader that fills this from its JSON, each upstream protocol a writer
 * that makes its JSON of it: N codecs, not N × N translators (design.md, turn lane). A reader says
 * no to what its own protocol forbids; a writer says no to what its protocol cannot express, or
 * notes that it left something out (turn_notes). The tables that decide which: protocols.md §6, §7
 * and §10.
 *
 * Texts are raw spans (see turn_event.h); numbers, schemas and other values are lexemes: the bytes of
 * a whole JSON value as the client wrote it. An empty span is an absent member. Everything borrowed
 * lies in the client's body or in the arena the reader was given; both outlive the struct. */
#ifndef SLUICE_CODEC_TURN_REQUEST_H
#define SLUICE_CODEC_TURN_REQUEST_H

#include "sluice/base/arena.h"
#include "sluice/codec/fault.h"
#include "sluice/config/translation_options.h"

enum turn_role { ROLE_SYSTEM, ROLE_DEVELOPER, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };

enum turn_part_kind {
    PART_TEXT,
    PART_REFUSAL,
    PART_REASONING, /* text and proof, either may be empty */
    PART_REDACTED,  /* text: opaque data */
    PART_IMAGE,     /* data with media_type, or url */
    PART_DOCUMENT,  /* data with media_type, or url, or plain text; name: file name or title */
    PART_AUDIO,     /* data; media_type "audio/wav" or "audio/mpeg" */
    PART_VIDEO,     /* data with media_type, or url */
    PART_CALL,      /* id, name, arguments */
    PART_RESULT,    /* id of the call it answers; content in `inside` */
};

static inline bool turn_is_media(enum turn_part_kind kind)
{
    return kind == PART_IMAGE || kind == PART_DOCUMENT || kind == PART_AUDIO || kind == PART_VIDEO;
}

struct turn_part {
    struct turn_part *next;
    enum turn_part_kind kind;
    struct span text;       /* raw */
    struct span proof;      /* raw */
    struct span family;     /* whose proof that is, where the client said so: see proof.h */
    struct span media_type; /* raw: "image/png" */
    struct span data;       /* raw base64 */
    struct span url;        /* raw, but without escapes unless it holds what needs them */
    struct span detail;     /* raw: image detail */
    struct span id, name;   /* raw */
    /* A call's arguments, in whichever form the client's protocol has them. */
    struct span arguments_text;   /* raw text of a JSON object (chat, responses) */
    struct span arguments_object; /* lexeme of a JSON object (messages) */
    struct turn_part *inside;     /* PART_RESULT */
    struct turn_part *result;     /* PART_CALL: never NULL once the request is read */
    struct turn_part *twin;       /* turn_calls.c: the next call of the same id */
    struct span cache_control;    /* lexeme */
    bool is_error, is_custom;
    struct span path; /* where it came from, for errors: "messages[3].content[0]", in the arena */
};

struct turn_message {
    struct turn_message *next;
    enum turn_role role;
    struct turn_part *parts;
    struct span name; /* raw */
    struct span path; /* "messages[3]" */
};

/* What a search or a fetch of the provider's own may be told. */
enum web_kind { WEB_SEARCH, WEB_FETCH };
struct turn_web {
    enum web_kind kind;
    struct span allowed_domains, blocked_domains, max_uses;    /* lexemes */
    struct span context_size, city, region, country, timezone; /* WEB_SEARCH: raw */
    bool is_offline;                           /* WEB_SEARCH: what is stored must do */
    struct span max_content_tokens, citations; /* WEB_FETCH: lexemes */
};

struct turn_tool {
    struct turn_tool *next;
    struct span name, description; /* raw */
    struct span schema;            /* lexeme of the parameters' schema, empty: none */
    struct span grammar, syntax;   /* raw: what a custom tool's text must follow; empty: nothing */
    enum { STRICT_UNSAID, STRICT_NO, STRICT_YES } strict;
    struct span cache_control; /* lexeme */
    bool is_custom;            /* free text instead of JSON */
    struct turn_web *web; /* a search has no name, a fetch is "web_fetch"; NULL: any other tool */
    struct span path;
};

enum turn_choice { CHOICE_UNSAID, CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_NAMED };

enum turn_effort {
    EFFORT_UNSAID,
    EFFORT_NONE,
    EFFORT_MINIMAL,
    EFFORT_LOW,
    EFFORT_MEDIUM,
    EFFORT_HIGH,
    EFFORT_XHIGH,
    EFFORT_MAX,
};

enum turn_format { FORMAT_UNSAID, FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };

/* What is left out because nobody knows it or the upstream has no word for it: contract D-13, the
 * answer's x-sluice-dropped. Names are static or in the arena. */
#define TURN_NOTES_MAX 16
struct turn_notes {
    const char *dropped[TURN_NOTES_MAX];
    unsigned n;
};
/* Once each; when there are too many the last one says so. */
void turn_note_dropped(struct turn_notes *notes, const char *field);
/* The names of parameters, as configurations and clients call them (capabilities.h). */
void turn_note_parameters(struct turn_notes *notes, unsigned params);
bool turn_is_noted(const struct turn_notes *notes, const char *field);

/* What the client's protocol calls members that a writer may have to refuse. */
struct turn_names {
    const char *messages, *stop, *format;
    const char *arguments; /* below a call: ".function.arguments" */
    const char *logprobs;
};

struct turn_request {
    const struct turn_names *names;
    struct span model; /* decoded */
    bool stream, wants_usage;
    bool is_begun; /* the last message is how the answer begins: see turn_prefill.h */

    unsigned elements, ntools;                    /* messages, parts and tools so far */
    struct turn_message *messages, *last_message; /* system and developer ones in place */
    struct turn_tool *tools;
    enum turn_choice choice;
    struct span choice_name;   /* raw, CHOICE_NAMED */
    struct turn_tool *allowed; /* allowed_tools: names only; NULL: all */
    enum { PARALLEL_UNSAID, PARALLEL_NO, PARALLEL_YES } parallel;

    /* lexemes */
    struct span max_tokens, temperature, top_p, top_k, seed, presence_penalty, frequency_penalty,
        stop /* a string or an array of strings */, n, logprobs, top_logprobs, logit_bias;

    enum turn_effort effort;
    struct span thinking_budget;                   /* lexeme: messages' budget_tokens */
    bool thinking_is_adaptive, thinking_is_hidden; /* display: omitted; summary not asked for */

    enum turn_format format;
    struct span format_name, format_description; /* raw */
    struct span format_schema;                   /* lexeme */
    bool format_strict;
    struct span answer_tool; /* raw: its arguments are the answer (structured_output.h) */

    struct span user;      /* raw: who the end user is */
    struct span cache_key; /* raw */
    bool caches_by_user;   /* `user` would do as one */
    struct span metadata, service_tier, store, prediction, verbosity, modalities, audio,
        context_management; /* lexemes */

    struct turn_notes unread; /* what means nothing to the reader itself */
};

/* Leaves out what the request says about these parameters (bits of enum capability), and notes their
 * names. Tools stay: capabilities.h. */
void turn_request_leave_out(struct turn_request *r, unsigned params, struct turn_notes *notes);

/* --- for readers --------------------------------------------------------------------------------
 *
 * Each appends a new element from the arena. `*end` is the list's last link (&message->parts at
 * first), and is moved on. NULL when the request has more elements than anybody can mean: an element
 * takes a few hundred bytes here and may take two in the body. */
#define TURN_ELEMENTS_MAX 100000
#define TURN_TOOLS_MAX 4096 /* they are compared with each other */

struct turn_message *turn_add_message(struct turn_request *r, struct arena *a, enum turn_role role);
struct turn_part *turn_add_part(struct turn_request *r, struct turn_part ***end, struct arena *a,
                                enum turn_part_kind kind);
struct turn_tool *turn_add_tool(struct turn_request *r, struct turn_tool ***end, struct arena *a);

/* Says no: fills *why with a 400 whose param is `path` and returns false. `format` makes the
 * message, which gets the path before it: many clients show nothing else. */
bool turn_refuse(struct fault *why, enum fault_kind kind, struct span path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A path below another: turn_path(a, message->path, ".content[%u]", i); NUL behind it. */
struct span turn_path(struct arena *a, struct span above, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What two words stand for, both ways; the word is raw, UNSAID for what nobody knows. */
enum turn_effort turn_effort_of(struct span word);
const char *turn_effort_word(enum turn_effort e); /* NULL for UNSAID */

/* The effort whose share of the answer's tokens is the nearest at or below that of the request's
 * thinking_budget (contract 2.6); medium when that cannot be told. */
enum turn_effort turn_effort_of_budget(const struct turn_request *r);

#endif
