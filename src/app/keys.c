#include "cli.h"
#include "key_calls.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/admit/minted_key.h"
#include "sluice/base/digest.h"
#include "sluice/config/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Keys come by stdin, a variable or a prompt, never by argv, and leave by stdout once: so that
 * KEY=$(sluice keys create) works, everything else is on stderr. */

enum { KEY_MAX = 4096 };

static void hash_text(struct span key, char out[2 * SHA256_BYTES + 1])
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(key, digest);
    digest_hex(digest, sizeof digest, out);
}

/* ── hash ────────────────────────────────────────────────────────────────────────────────────── */

/* All of stdin without its last newline: the length, or -1 when that is no key. */
static long read_stdin(char *out, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len < size && (got = read(STDIN_FILENO, out + len, size - len)) != 0) {
        if (got < 0) {
            terminal_error("cannot read stdin: %s", strerror(errno));
            return -1;
        }
        len += (size_t)got;
    }
    if (len > 0 && len < size && out[len - 1] == '\n')
        len -= len > 1 && out[len - 2] == '\r' ? 2 : 1;
    return (long)len;
}

static long read_variable(const char *name, char *out, size_t size)
{
    const char *value = getenv(name);
    if (value == NULL) {
        terminal_error("environment variable %.100s is not set", name);
        return -1;
    }
    size_t len = strlen(value);
    memcpy(out, value, len < size ? len : size);
    return (long)(len < size ? len : size);
}

static long read_key(const char *variable, char *out, size_t size)
{
    if (variable != NULL)
        return read_variable(variable, out, size);
    if (!isatty(STDIN_FILENO))
        return read_stdin(out, size);
    if (terminal_ask_secret("Key (not shown): ", out, size))
        return (long)strlen(out);
    terminal_error("no key was given");
    return -1;
}

/* A key is sent in a header: what cannot be sent cannot be a key. */
static bool is_key(struct span key)
{
    if (key.len == 0 || key.len >= KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++)
        if (key.at[i] <= ' ' || key.at[i] >= 0x7f)
            return false;
    return true;
}

int verb_keys_hash(int argc, char **argv)
{
    struct cli cli;
    char text[KEY_MAX], hex[2 * SHA256_BYTES + 1];
    if (!cli_parse(&cli, "keys hash", argc, argv))
        return cli.status;
    long len = read_key(cli_text(&cli, "key-env"), text, sizeof text);
    struct span key = span_of(text, len < 0 ? 0 : (size_t)len);
    int code = EXIT_FAILED;
    if (len >= 0 && !is_key(key)) {
        terminal_error("a key is one word of printable ASCII, at most %d bytes", KEY_MAX - 1);
    } else if (len >= 0) {
        if (minted_key_is_mistyped(key))
            terminal_error("warning: this looks like a key of sluice's with a mistake in it; keys "
                           "create would not make it");
        hash_text(key, hex);
        printf("sha256:%s\n", hex);
        code = terminal_finish();
    }
    explicit_bzero(text, sizeof text);
    return code;
}

/* ── create ──────────────────────────────────────────────────────────────────────────────────── */

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* What it may be used for, as a line of the file. False: wrong usage, which was explained. */
static bool write_scope(const struct cli *cli, char *out, size_t size)
{
    const char *pipeline = cli_text(cli, "pipeline");
    bool is_admin = cli_flag(cli, "admin");
    if (pipeline == NULL) {
        snprintf(out, size, "%s", is_admin ? "scope: admin" : "models: [\"*\"]");
        return true;
    }
    if (is_admin) {
        terminal_error("a key is for a pipeline or for an admin, not for both");
        return false;
    }
    if (!pipeline_is_id(span_text(pipeline))) {
        terminal_error(
            "a pipeline's name has 3 to 64 letters, digits, dashes and underscores, and is "
            "no word of the API's own");
        return false;
    }
    snprintf(out, size, "scope: pipeline\n    pipeline: \"%s\"", pipeline);
    return true;
}

static bool needs_gateway(const struct cli *cli)
{
    static const char *const options[] = {"rate-limit", "models", "expires", "budget",
                                          "budget-period"};
    for (unsigned i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (cli_text(cli, options[i]) == NULL)
            continue;
        terminal_error("--%s is for a key that a gateway makes: name it with --url, or write it "
                       "into the file beside the printed lines",
                       options[i]);
        return true;
    }
    return false;
}

/* Nobody is asked. */
static int create_here(const struct cli *cli, const char *name)
{
    char scope[128];
    if (needs_gateway(cli) || !write_scope(cli, scope, sizeof scope))
        return EXIT_USAGE;
    char key[MINTED_KEY_SIZE], hex[2 * SHA256_BYTES + 1];
    minted_key_make(MINTED_KEY_PREFIX, key);
    hash_text(span_text(key), hex);
    fprintf(stderr,
            "This key is shown once. It works when its hash is in the configuration:\n\n"
            "keys:\n"
            "  - name: %s\n"
            "    hash: \"sha256:%s\"\n"
            "    %s\n\n",
            name, hex, scope);
    puts(key);
    explicit_bzero(key, sizeof key);
    return terminal_finish();
}

int verb_keys_create(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "keys create", argc, argv))
        return cli.status;
    const char *name = cli_text(&cli, "name");
    if (name == NULL)
        name = "default";
    if (!is_name(name)) {
        terminal_error("a name has up to 64 letters, digits, dots, dashes and underscores");
        return EXIT_USAGE;
    }
    if (cli_text(&cli, "url") == NULL || cli_flag(&cli, "offline"))
        return create_here(&cli, name);
    return key_calls_create(&cli, name);
}
