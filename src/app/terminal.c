#include "terminal.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

const char *terminal_style(FILE *to, enum style style)
{
    static const char *const sequences[] = {
        [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",     [STYLE_RED] = "\033[31m",
        [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m", [STYLE_NONE] = "\033[0m",
    };
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if ((no_color != NULL && no_color[0] != '\0') || term == NULL || strcmp(term, "dumb") == 0 ||
        !isatty(fileno(to)))
        return "";
    return sequences[style];
}

void terminal_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%ssluice:%s ", terminal_style(stderr, STYLE_RED),
            terminal_style(stderr, STYLE_NONE));
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* C0 but for newline and tab, DEL, and C1 as UTF-8 writes it: 0xC2 0x80 to 0xC2 0x9F. */
static size_t control_at(struct span text, size_t at)
{
    uint8_t c = text.at[at];
    if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
        return 1;
    if (c == 0xc2 && at + 1 < text.len && text.at[at + 1] >= 0x80 && text.at[at + 1] < 0xa0)
        return 2;
    return 0;
}

void terminal_write(FILE *to, struct span text)
{
    bool careful = isatty(fileno(to)) == 1;
    for (size_t at = 0; at < text.len;) {
        size_t control = careful ? control_at(text, at) : 0;
        if (control == 0)
            putc(text.at[at++], to);
        else
            at += control;
    }
    fflush(to);
}

/* The rest of a line that does not fit is read and left out. */
static bool read_line(int fd, char interrupt, char *out, size_t size)
{
    size_t n = 0;
    char c;
    ssize_t got;
    while ((got = read(fd, &c, 1)) == 1 && c != '\n' && c != interrupt)
        if (n + 1 < size)
            out[n++] = c;
    out[n] = '\0';
    return got == 1 && c == '\n';
}

bool terminal_ask_secret(const char *question, char *out, size_t size)
{
    struct termios shown, hidden;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool answered = false;
    if (tcgetattr(fd, &shown) == 0) {
        hidden = shown;
        /* ^C would end the process and leave the terminal mute: here it ends the line instead. */
        hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
        hidden.c_cc[VEOL] = shown.c_cc[VINTR];
        tcsetattr(fd, TCSAFLUSH, &hidden); /* before the question: what is typed early is dropped */
        dprintf(fd, "%s", question);
        answered = read_line(fd, (char)shown.c_cc[VINTR], out, size);
        tcsetattr(fd, TCSAFLUSH, &shown);
        dprintf(fd, "\n");
    }
    close(fd);
    return answered;
}

int terminal_finish(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return EXIT_OK;
    terminal_error("cannot write to stdout: %s", strerror(errno));
    return EXIT_FAILED;
}
