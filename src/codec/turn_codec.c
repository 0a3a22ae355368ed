#include "sluice/codec/turn_codec.h"

#include "sluice/codec/chat_reader.h"
#include "sluice/codec/chat_turn.h"
#include "sluice/codec/chat_wire.h"
#include "sluice/codec/chat_writer.h"
#include "sluice/codec/completions.h"
#include "sluice/codec/converse_reader.h"
#include "sluice/codec/converse_wire.h"
#include "sluice/codec/gemini_reader.h"
#include "sluice/codec/gemini_wire.h"
#include "sluice/codec/messages_reader.h"
#include "sluice/codec/messages_turn.h"
#include "sluice/codec/messages_wire.h"
#include "sluice/codec/messages_writer.h"
#include "sluice/codec/responses_reader.h"
#include "sluice/codec/responses_turn.h"
#include "sluice/codec/responses_wire.h"
#include "sluice/codec/responses_writer.h"

/* Each protocol has functions on a struct of its own; here they become tables of one type. */

/* --- upstreams ------------------------------------------------------------------------------------ */

#define READER(name, begin, take)                                                       \
    static void name##_init(void *r, struct span unique, turn_event_fn emit, void *arg) \
    {                                                                                   \
        (void)unique;                                                                   \
        begin;                                                                          \
    }                                                                                   \
    static void name##_event(void *r, struct span type, struct span data)               \
    {                                                                                   \
        (void)type;                                                                     \
        take;                                                                           \
    }                                                                                   \
    static void name##_end(void *r)                                                     \
    {                                                                                   \
        name##_reader_end(r);                                                           \
    }                                                                                   \
    static void name##_whole(void *r, struct span body)                                 \
    {                                                                                   \
        name##_reader_whole(r, body);                                                   \
    }                                                                                   \
    static void name##_fini(void *r)                                                    \
    {                                                                                   \
        name##_reader_fini(r);                                                          \
    }

#define UPSTREAM(name, family_word)                                                          \
    .family = {(const uint8_t *)(family_word), sizeof(family_word) - 1},                     \
    .write = name##_wire_write, .takes_url = name##_wire_takes_url,                          \
    .reader_size = sizeof(struct name##_reader), .init = name##_init, .event = name##_event, \
    .end = name##_end, .whole = name##_whole, .fini = name##_fini

READER(chat, chat_reader_init(r, emit, arg), chat_reader_event(r, data))
READER(messages, messages_reader_init(r, emit, arg), messages_reader_event(r, data))
READER(responses, responses_reader_init(r, emit, arg), responses_reader_event(r, data))
READER(gemini, gemini_reader_init(r, unique, emit, arg), gemini_reader_event(r, data))
READER(converse, converse_reader_init(r, emit, arg), converse_reader_event(r, type, data))

static void converse_error(void *r, struct span code, struct span message)
{
    converse_reader_error(r, code, message);
}

/* A family is whose models can check a proof; Bedrock wraps Anthropic's, among others', in its own. */
static const struct upstream_codec upstreams[] = {
    [UPSTREAM_CHAT] = {UPSTREAM(chat, "chat"), .knows_json_object = true},
    [UPSTREAM_MESSAGES] = {UPSTREAM(messages, "anthropic")},
    [UPSTREAM_RESPONSES] = {UPSTREAM(responses, "openai"), .knows_json_object = true},
    [UPSTREAM_GEMINI] = {UPSTREAM(gemini, "gemini"), .knows_json_object = true},
    [UPSTREAM_CONVERSE] = {UPSTREAM(converse, "bedrock"), .framing = UPSTREAM_EVENT_STREAM,
                           .error = converse_error},
};

const struct upstream_codec *upstream_codec_for(enum upstream_api api)
{
    return &upstreams[api];
}

/* --- clients -------------------------------------------------------------------------------------- */

/* Whole answers are collected alike, and written by each in its own way. */
struct whole {
    const struct answer_identity *who;
    struct span request;
    struct arena *arena;
    struct turn_answer answer;
};

#define WHOLE_MAX (64u << 20)

static void whole_init(void *w, const struct answer_identity *who, struct span request,
                       struct arena *a)
{
    struct whole *whole = w;
    *whole = (struct whole){.who = who, .request = request, .arena = a};
    turn_answer_init(&whole->answer, WHOLE_MAX);
}

static int whole_event(void *w, const struct turn_event *e)
{
    return turn_answer_add(&((struct whole *)w)->answer, e);
}

static void whole_fini(void *w)
{
    turn_answer_fini(&((struct whole *)w)->answer);
}

/* Chat and Messages repeat nothing of the request; Responses repeat most of it. */
#define INIT_PLAIN(name) name##_writer_init(w, who)
#define INIT_ECHOING(name) name##_writer_init(w, who, request)
#define WHOLE_PLAIN(name) name##_write_whole(&whole->answer, whole->who, out)
#define WHOLE_ECHOING(name) name##_write_whole(&whole->answer, whole->who, whole->request, out)

#define WRITER(name, init, write_whole)                                                       \
    static void name##_begin(void *w, const struct answer_identity *who, struct span request, \
                             struct arena *a)                                                 \
    {                                                                                         \
        (void)request;                                                                        \
        (void)a;                                                                              \
        init(name);                                                                           \
    }                                                                                         \
    static int name##_write(void *w, const struct turn_event *e, struct buf *out)             \
    {                                                                                         \
        return name##_writer_event(w, e, out);                                                \
    }                                                                                         \
    static void name##_done(void *w)                                                          \
    {                                                                                         \
        name##_writer_fini(w);                                                                \
    }                                                                                         \
    static int name##_put_whole(void *w, struct buf *out)                                     \
    {                                                                                         \
        const struct whole *whole = w;                                                        \
        return write_whole(name);                                                             \
    }

#define CLIENT(name)                                                                             \
    .read = name##_turn_read, .writer_size = sizeof(struct name##_writer), .init = name##_begin, \
    .event = name##_write, .fini = name##_done, .whole_size = sizeof(struct whole),              \
    .whole_init = whole_init, .whole_event = whole_event, .whole_write = name##_put_whole,       \
    .whole_fini = whole_fini

WRITER(chat, INIT_PLAIN, WHOLE_PLAIN)
WRITER(completions, INIT_PLAIN, WHOLE_PLAIN)
WRITER(messages, INIT_PLAIN, WHOLE_PLAIN)
WRITER(responses, INIT_ECHOING, WHOLE_ECHOING)

static int messages_ping(void *w, struct buf *out)
{
    return messages_writer_ping(w, out);
}

static int responses_ping(void *w, struct buf *out)
{
    return responses_writer_ping(w, out);
}

static const struct client_codec chat = {CLIENT(chat), .tells_families = true};
static const struct client_codec completions = {CLIENT(completions)};
static const struct client_codec messages = {CLIENT(messages), .ping = messages_ping};

static const struct client_codec responses = {CLIENT(responses), .ping = responses_ping,
                                              .keeps_request = true};

const struct client_codec *client_codec_for(enum api_protocol api)
{
    switch (api) {
    case API_CHAT:
        return &chat;
    case API_COMPLETIONS:
        return &completions;
    case API_MESSAGES:
        return &messages;
    case API_RESPONSES:
        return &responses;
    default:
        return NULL;
    }
}
