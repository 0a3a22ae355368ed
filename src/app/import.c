#include "loaded.h"
#include "price_list.h"
#include "terminal.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* sluice catalog import: other people's lists of prices as `models:`. The YAML goes to stdout or a
 * file, what became of the entries to stderr. */

enum { LIST_MAX_BYTES = 64 * 1024 * 1024 };

/* 0, or a negative error of the system's. */
static int read_all(int fd, struct buf *out)
{
    ssize_t n = 1;
    while (n > 0 && buf_len(out) <= LIST_MAX_BYTES) {
        if (buf_reserve(out, 65536) < 0)
            return -ENOMEM;
        n = read(fd, out->at + out->tail, 65536);
        out->tail += n > 0 ? (size_t)n : 0;
        if (n < 0 && errno == EINTR)
            n = 1;
    }
    return n < 0 ? -errno : buf_len(out) > LIST_MAX_BYTES ? -EFBIG : 0;
}

static bool read_file(const char *path, struct buf *out)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : read_all(fd, out);
    if (fd >= 0 && !is_stdin)
        close(fd);
    if (rc < 0)
        terminal_error("cannot read %s: %s", path, strerror(-rc));
    return rc == 0;
}

static int write_file(const char *path, bool force, struct span text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0644);
    FILE *to = fd < 0 ? NULL : fdopen(fd, "wb");
    if (to == NULL) {
        terminal_error("cannot write %s: %s%s", path, strerror(errno),
                       errno == EEXIST ? " (--force overwrites it)" : "");
        if (fd >= 0)
            close(fd);
        return EXIT_FAILED;
    }
    size_t written = fwrite(text.at, 1, text.len, to);
    if (fclose(to) != 0 || written != text.len) {
        terminal_error("cannot write %s: %s", path, strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static void tell_count(const char *what, unsigned n)
{
    if (n > 0)
        fprintf(stderr, "  %6u %s\n", n, what);
}

static void tell(const struct price_list_counts *n, const struct buf *says)
{
    terminal_write(stderr, buf_span(says));
    fprintf(stderr, "%u models at %u endpoints; left out:\n", n->models, n->endpoints);
    tell_count("of providers that were not asked for", n->elsewhere);
    tell_count("of a kind that is not routed, or prices of regions, sizes and fine-tuned models",
               n->odd);
    tell_count("that went away before today", n->over);
    tell_count("that the configuration has already", n->configured);
    tell_count("that their provider lists twice", n->twice);
    tell_count("that are wrong", n->bad);
    tell_count("kinds of members that nothing is made of", n->unread);
}

static int finish(const struct cli *cli, const struct price_list_counts *n, const struct buf *yaml)
{
    const char *path = cli_text(cli, "output");
    if (n->models == 0) {
        terminal_error(
            "nothing is left to import; configure a provider of the list first, name one "
            "with --provider, or take --all");
        return EXIT_FAILED;
    }
    if (path != NULL)
        return write_file(path, cli_flag(cli, "force"), buf_span(yaml));
    fwrite(yaml->at, 1, buf_len(yaml), stdout);
    return terminal_finish();
}

static int import(const struct cli *cli, const struct snapshot *s)
{
    struct buf text = {0}, yaml = {0}, says = {0};
    struct price_list_counts n;
    struct err why = {0};
    char today[16];
    time_t now = time(NULL);
    struct tm utc;
    int code = EXIT_FAILED;
    strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now, &utc));
    const struct price_list_asked asked = {
        .snapshot = s,
        .provider = cli_text(cli, "provider"),
        .all = cli_flag(cli, "all"),
        .today = today,
    };
    if (read_file(cli->args[0], &text)) {
        if (price_list_write(buf_span(&text), &asked, &yaml, &says, &n, &why) < 0) {
            terminal_error("%s: %s", cli->args[0], why.text);
        } else {
            tell(&n, &says);
            code = finish(cli, &n, &yaml);
        }
    }
    buf_fini(&text);
    buf_fini(&yaml);
    buf_fini(&says);
    return code;
}

static int run(const char *verb, int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, verb, argc, argv))
        return cli.status;
    struct snapshot *s = snapshot_for_verb(&cli, true);
    if (s == NULL)
        return EXIT_BAD_CONFIG;
    int code = import(&cli, s);
    snapshot_unref(s);
    return code;
}

int verb_catalog_import(int argc, char **argv)
{
    return run("catalog import", argc, argv);
}

int verb_import_litellm(int argc, char **argv)
{
    return run("import litellm", argc, argv);
}
