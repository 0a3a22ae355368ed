#include "caller.h"
#include "terminal.h"
#include "verbs.h"

enum { TIMEOUT_MS = 3000 };

/* For images without a shell: container engines and exec probes run this and look at the exit code,
 * which is 0 or 1 and nothing else (Docker reserves 2). */
int verb_healthcheck(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "healthcheck", argc, argv))
        return cli.status == EXIT_OK ? EXIT_OK : EXIT_FAILED;
    int status;
    struct caller *c = caller_open(&cli, &status);
    if (c == NULL)
        return EXIT_FAILED;

    char path[300];
    struct buf body = {0};
    struct err why = {0};
    unsigned answer;
    snprintf(path, sizeof path, "%s/%s", caller_url(c)->root,
             cli_flag(&cli, "live") ? "livez" : "readyz");
    const struct caller_request request = {"GET", path, .timeout_ms = TIMEOUT_MS};
    enum call_end end = caller_fetch(c, &request, &answer, &body, &why);
    bool is_healthy = end == CALL_ANSWERED && answer == 200;
    if (end != CALL_ANSWERED)
        terminal_error("%s: %s", caller_url_text(c), why.text);
    else if (!is_healthy) {
        terminal_error("%s answers %u", path, answer);
        terminal_write(stderr, buf_span(&body));
    }
    buf_fini(&body);
    caller_close(c);
    return is_healthy ? EXIT_OK : EXIT_FAILED;
}
