#include "caller.h"
#include "conversation.h"
#include "reply.h"
#include "terminal.h"
#include "verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* One question, or (on a terminal, without TEXT) one after the other with all that was said. */

enum { TEXT_MAX = 16 << 20 };

struct chat {
    struct caller *caller;
    const char *key;
    struct conversation conversation;
    bool quiet;
};

static int ask(struct chat *c, struct span text)
{
    struct buf body = {0};
    struct reply reply;
    struct err why = {0};
    char path[300];
    size_t mark = conversation_mark(&c->conversation);
    if (conversation_add(&c->conversation, "user", text) < 0 ||
        conversation_write(&c->conversation, &body) < 0) {
        conversation_return(&c->conversation, mark);
        buf_fini(&body);
        terminal_error("out of memory");
        return EXIT_FAILED;
    }
    snprintf(path, sizeof path, "%s/chat/completions", caller_url(c->caller)->prefix);
    const struct caller_request request = {"POST", path, c->key, buf_span(&body), 0};
    reply_init(&reply);
    enum call_end end = caller_ask(c->caller, &request, &reply_events, &reply, &why);
    int code = reply_finish(&reply, end, &why, caller_url_text(c->caller));
    if (!c->quiet)
        reply_print_stats(&reply);
    if (code != EXIT_OK ||
        conversation_add(&c->conversation, "assistant", buf_span(&reply.text)) < 0)
        conversation_return(&c->conversation, mark);
    reply_fini(&reply);
    buf_fini(&body);
    return code;
}

static struct span without_newlines(const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return span_of(text, len);
}

static int converse(struct chat *c)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    fprintf(stderr, "%s%s at %s; /new starts over, ^D ends%s\n", terminal_style(stderr, STYLE_DIM),
            c->conversation.model, caller_url_text(c->caller), terminal_style(stderr, STYLE_NONE));
    while (fprintf(stderr, "%s>%s ", terminal_style(stderr, STYLE_BOLD),
                   terminal_style(stderr, STYLE_NONE)),
           (len = getline(&line, &size, stdin)) > 0) {
        struct span text = without_newlines(line, (size_t)len);
        if (span_eq(text, SPAN_LIT("/new")))
            conversation_return(&c->conversation, 0);
        else if (span_trim(text).len > 0)
            (void)ask(c, text); /* what went wrong was said; the next question is free */
    }
    fputc('\n', stderr);
    free(line);
    return EXIT_OK;
}

static int ask_stdin(struct chat *c)
{
    struct buf text = {0};
    int code = EXIT_FAILED;
    ssize_t got = 1;
    while (got > 0 && buf_len(&text) < TEXT_MAX) {
        if (buf_reserve(&text, 64 << 10) < 0)
            break;
        got = read(STDIN_FILENO, text.at + text.tail, 64 << 10);
        text.tail += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        terminal_error("cannot read stdin: %s", strerror(errno));
    } else if (got > 0) {
        terminal_error("stdin is larger than 16 MiB, or than memory");
    } else if (buf_len(&text) == 0) {
        terminal_error("there is no question: give TEXT, or write it to stdin");
        code = EXIT_USAGE;
    } else {
        code = ask(c, without_newlines((const char *)text.at, buf_len(&text)));
    }
    buf_fini(&text);
    return code;
}

int verb_chat(int argc, char **argv)
{
    struct cli cli;
    struct chat c = {0};
    int code;
    if (!cli_parse(&cli, "chat", argc, argv))
        return cli.status;
    if (!caller_key("SLUICE_API_KEY", &c.key))
        return EXIT_USAGE;
    c.caller = caller_open(&cli, &code);
    if (c.caller == NULL)
        return code;
    c.conversation.model = cli.args[0];
    c.conversation.system = cli_text(&cli, "system");
    c.quiet = cli_flag(&cli, "quiet");
    if (cli.nargs > 1)
        code = ask(&c, span_text(cli.args[1]));
    else if (isatty(STDIN_FILENO))
        code = converse(&c);
    else
        code = ask_stdin(&c);
    conversation_fini(&c.conversation);
    caller_close(c.caller);
    return code;
}
