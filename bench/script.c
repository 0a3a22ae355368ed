#include "script.h"

#include "stamp.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK_OPEN                                                                       \
    "data: {\"id\":\"chatcmpl-bench00000000000000000000000\","                           \
    "\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"bench-1\"," \
    "\"system_fingerprint\":\"fp_bench\",\"choices\":["
#define CHUNK_CLOSE "}\n\n"
#define USAGE                                                                       \
    "\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":%u,\"total_tokens\":%u," \
    "\"prompt_tokens_details\":{\"cached_tokens\":0}}"

enum { EVENT_MAX = 1024 + SCRIPT_PAD_MAX };

enum script_family script_family_of(const char *line, size_t len)
{
    static const struct {
        const char *path;
        enum script_family family;
    } known[] = {
        {"/chat/completions ", SCRIPT_CHAT}, {"/messages ", SCRIPT_MESSAGES},
        {"/responses ", SCRIPT_RESPONSES},   {"/embeddings ", SCRIPT_EMBEDDINGS},
        {"/models ", SCRIPT_MODELS},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (memmem(line, len, known[i].path, strlen(known[i].path)) != NULL)
            return known[i].family;
    return SCRIPT_UNKNOWN;
}

void script_probe(struct script_probe *probe, const char *at, size_t len)
{
    size_t room = sizeof(probe->first) - probe->nfirst;
    size_t n = len < room ? len : room;
    memcpy(probe->first + probe->nfirst, at, n);
    probe->nfirst += n;
    at += n;
    len -= n;
    if (len >= sizeof(probe->last)) {
        at += len - sizeof(probe->last);
        len = sizeof(probe->last);
    }
    if (probe->nlast + len > sizeof(probe->last)) {
        size_t drop = probe->nlast + len - sizeof(probe->last);
        memmove(probe->last, probe->last + drop, probe->nlast - drop);
        probe->nlast -= drop;
    }
    memcpy(probe->last + probe->nlast, at, len);
    probe->nlast += len;
}

/* What follows `"name":` and any blanks; NULL when the member is in neither end of the body. */
static const char *member(const struct script_probe *probe, const char *name, const char **end)
{
    size_t len = strlen(name);
    const char *at = memmem(probe->first, probe->nfirst, name, len);
    *end = probe->first + probe->nfirst;
    if (at == NULL && probe->nlast > 0) {
        at = memmem(probe->last, probe->nlast, name, len);
        *end = probe->last + probe->nlast;
    }
    if (at == NULL)
        return NULL;
    at += len;
    while (at < *end && *at == ' ')
        at++;
    return at;
}

static bool member_is_true(const struct script_probe *probe, const char *name)
{
    const char *end;
    const char *value = member(probe, name, &end);
    return value != NULL && end - value >= 4 && memcmp(value, "true", 4) == 0;
}

static void read_knob(struct script *script, char name, unsigned value)
{
    switch (name) {
    case 'n':
        script->chunks = value;
        return;
    case 'g':
        script->gap_us = value;
        return;
    case 'p':
        script->pad = value < SCRIPT_PAD_MAX ? value : SCRIPT_PAD_MAX;
        return;
    case 'd':
        script->delay_us = value;
        return;
    case 'r':
        script->body = value;
        return;
    }
}

void script_read(struct script *script, const struct script_probe *probe)
{
    script->stream = member_is_true(probe, "\"stream\":");
    script->wants_usage = script->stream && member_is_true(probe, "\"include_usage\":");
    const char *end;
    const char *at = member(probe, "\"bench ", &end);
    while (at != NULL && end - at > 2 && at[1] == '=') {
        char name = at[0];
        unsigned value = 0;
        for (at += 2; at < end && *at >= '0' && *at <= '9'; at++)
            value = value * 10 + (unsigned)(*at - '0');
        read_knob(script, name, value);
        while (at < end && *at == ' ')
            at++;
    }
}

unsigned script_steps(enum script_family family, const struct script *script)
{
    bool has_usage_chunk = family == SCRIPT_CHAT && script->wants_usage;
    return 1 + script->chunks + 1 + has_usage_chunk + 1;
}

/* One server-sent event as one HTTP chunk. */
static size_t framed(char *into, size_t room, const char *event, const char *after)
{
    int n = snprintf(into, room, "%zx\r\n%s\r\n%s", strlen(event), event, after);
    return (size_t)n;
}

/* The words of one protocol: what opens an answer, a chunk around its text, the finish, the end. */
struct words {
    const char *open, *before, *after, *finish, *end;
};

#define EVENT(type, members) "event: " type "\ndata: {\"type\":\"" type "\"" members "}\n\n"
#define USAGE_MESSAGES "\"usage\":{\"input_tokens\":24,\"output_tokens\":20}"
#define USAGE_RESPONSES                                                              \
    "\"usage\":{\"input_tokens\":24,\"input_tokens_details\":{\"cached_tokens\":0}," \
    "\"output_tokens\":20,\"output_tokens_details\":{\"reasoning_tokens\":0},"       \
    "\"total_tokens\":44}"
#define RESPONSE(status, rest)                                                                \
    ",\"response\":{\"id\":\"resp_bench\",\"object\":\"response\",\"created_at\":1760000000," \
    "\"status\":\"" status "\",\"model\":\"bench-1\"," rest "}"
#define ITEM "\"output_index\":0,\"item_id\":\"msg_bench0000000000000000\",\"content_index\":0"

static const struct words words[] = {
    [SCRIPT_CHAT] =
        {
            CHUNK_OPEN "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                       "\"logprobs\":null,\"finish_reason\":null}]" CHUNK_CLOSE,
            CHUNK_OPEN "{\"index\":0,\"delta\":{\"content\":\"",
            "\"},\"logprobs\":null,\"finish_reason\":null}]" CHUNK_CLOSE,
            CHUNK_OPEN "{\"index\":0,\"delta\":{},\"logprobs\":null,"
                       "\"finish_reason\":\"stop\"}]" CHUNK_CLOSE,
            "data: [DONE]\n\n",
        },
    [SCRIPT_MESSAGES] =
        {
            EVENT("message_start",
                  ",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":"
                  "\"assistant\",\"model\":\"bench-1\",\"content\":[],\"stop_reason\":null,"
                  "\"stop_sequence\":null," USAGE_MESSAGES "}")
                EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\","
                                             "\"text\":\"\"}"),
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
            "\"delta\":{\"type\":\"text_delta\",\"text\":\"",
            "\"}}\n\n",
            EVENT("content_block_stop", ",\"index\":0")
                EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\","
                                       "\"stop_sequence\":null}," USAGE_MESSAGES),
            EVENT("message_stop", ""),
        },
    [SCRIPT_RESPONSES] =
        {
            EVENT("response.created",
                  ",\"sequence_number\":0" RESPONSE("in_progress", "\"output\":[]"))
                EVENT("response.output_item.added",
                      ",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":"
                      "\"msg_bench0000000000000000\",\"type\":\"message\",\"status\":"
                      "\"in_progress\",\"role\":\"assistant\",\"content\":[]}")
                    EVENT("response.content_part.added",
                          ",\"sequence_number\":2," ITEM ",\"part\":{\"type\":\"output_text\","
                          "\"text\":\"\",\"annotations\":[]}"),
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
            "\"sequence_number\":3," ITEM ",\"delta\":\"",
            "\",\"logprobs\":[]}\n\n",
            EVENT("response.output_item.done",
                  ",\"sequence_number\":4,\"output_index\":0,\"item\":{\"id\":"
                  "\"msg_bench0000000000000000\",\"type\":\"message\",\"status\":"
                  "\"completed\",\"role\":\"assistant\",\"content\":[]}"),
            EVENT("response.completed",
                  ",\"sequence_number\":5" RESPONSE("completed", "\"output\":[]," USAGE_RESPONSES)),
        },
};

static size_t open_event(const struct words *w, char *into, size_t room)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n"
                               "Date: Thu, 20 Nov 2026 09:00:00 GMT\r\n"
                               "Content-Type: text/event-stream; charset=utf-8\r\n"
                               "Cache-Control: no-cache\r\n"
                               "Transfer-Encoding: chunked\r\n"
                               "x-request-id: req_bench0000000000000000\r\n\r\n";
    memcpy(into, head, sizeof(head) - 1);
    return sizeof(head) - 1 + framed(into + sizeof(head) - 1, room - sizeof(head), w->open, "");
}

/* The chunk of `pad` bytes is rendered once; after that only its digits change. */
static size_t content_event(const struct words *w, unsigned pad, unsigned seq, const char **bytes)
{
    static char event[EVENT_MAX];
    static char *stamp;
    static size_t len;
    static unsigned rendered_pad;
    static const struct words *rendered;
    if (pad != rendered_pad || w != rendered) {
        static char text[EVENT_MAX], filler[SCRIPT_PAD_MAX + 1];
        memset(filler, 'x', pad);
        filler[pad] = '\0';
        snprintf(text, sizeof(text), "%s" STAMP_BLANK "%s%s", w->before, filler, w->after);
        len = framed(event, sizeof(event), text, "");
        stamp = strchr(event, '~');
        rendered_pad = pad;
        rendered = w;
    }
    stamp_write(stamp, seq, now_ns());
    *bytes = event;
    return len;
}

size_t script_event(enum script_family family, const struct script *script, unsigned step,
                    const char **bytes)
{
    static char into[4096];
    char text[1024];
    const struct words *w = &words[family];
    if (step >= 1 && step <= script->chunks)
        return content_event(w, script->pad, step - 1, bytes);
    *bytes = into;
    if (step == 0)
        return open_event(w, into, sizeof(into));
    if (step == script->chunks + 1)
        return framed(into, sizeof(into), w->finish, "");
    if (step + 1 < script_steps(family, script)) {
        snprintf(text, sizeof(text), CHUNK_OPEN "]," USAGE CHUNK_CLOSE, script->chunks,
                 script->chunks + 24);
        return framed(into, sizeof(into), text, "");
    }
    return framed(into, sizeof(into), w->end, "0\r\n\r\n");
}

static int whole_body(enum script_family family, char *into, size_t room, unsigned pad)
{
    switch (family) {
    case SCRIPT_CHAT:
        return snprintf(into, room,
                        "{\"id\":\"chatcmpl-bench00000000000000000000000\","
                        "\"object\":\"chat.completion\",\"created\":1760000000,"
                        "\"model\":\"bench-1\",\"choices\":[{\"index\":0,\"message\":{"
                        "\"role\":\"assistant\",\"content\":\"%*s\",\"refusal\":null},"
                        "\"logprobs\":null,\"finish_reason\":\"stop\"}]," USAGE
                        ",\"system_fingerprint\":\"fp_bench\"}",
                        (int)pad, "Hello.", 12u, 36u);
    case SCRIPT_MESSAGES:
        return snprintf(
            into, room,
            "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
            "\"model\":\"bench-1\",\"content\":[{\"type\":\"text\",\"text\":"
            "\"%*s\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null," USAGE_MESSAGES "}",
            (int)pad, "Hello.");
    case SCRIPT_RESPONSES:
        return snprintf(into, room,
                        "{\"id\":\"resp_bench\",\"object\":\"response\",\"created_at\":1760000000,"
                        "\"status\":\"completed\",\"model\":\"bench-1\",\"output\":[{\"id\":"
                        "\"msg_bench\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
                        "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"%*s\","
                        "\"annotations\":[]}]}]," USAGE_RESPONSES "}",
                        (int)pad, "Hello.");
    case SCRIPT_EMBEDDINGS:
        return snprintf(into, room,
                        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
                        "\"embedding\":[%*s0.015625,-0.03125]}],\"model\":\"bench-1\","
                        "\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}",
                        (int)pad, "");
    case SCRIPT_MODELS:
        return snprintf(into, room,
                        "{\"object\":\"list\",\"data\":[{\"id\":\"bench-1\",\"object\":\"model\","
                        "\"created\":1760000000,\"owned_by\":\"bench\"}]}");
    case SCRIPT_UNKNOWN:
        break;
    }
    return snprintf(into, room,
                    "{\"error\":{\"message\":\"no such path\",\"type\":"
                    "\"invalid_request_error\",\"param\":null,\"code\":null}}");
}

size_t script_whole(enum script_family family, const struct script *script, const char **bytes)
{
    static char *answer;
    static size_t len;
    static enum script_family of = SCRIPT_UNKNOWN;
    static unsigned pad;
    if (answer == NULL || of != family || pad != script->body) {
        of = family;
        pad = script->body;
        int body = whole_body(family, NULL, 0, pad);
        size_t room = (size_t)body + 512;
        answer = realloc(answer, room);
        if (answer == NULL)
            die("script: no memory");
        int head = snprintf(answer, room,
                            "HTTP/1.1 %s\r\nDate: Thu, 20 Nov 2026 09:00:00 GMT\r\n"
                            "Content-Type: application/json\r\nContent-Length: %d\r\n"
                            "x-request-id: req_bench0000000000000000\r\n\r\n",
                            family == SCRIPT_UNKNOWN ? "404 Not Found" : "200 OK", body);
        len = (size_t)(head + whole_body(family, answer + head, room - (size_t)head, pad));
    }
    *bytes = answer;
    return len;
}
