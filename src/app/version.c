#include "cli.h"
#include "terminal.h"
#include "verbs.h"

#include "revision.h"

#include <string.h>

/* SLUICE_LIBRARIES is "name version" pairs separated by commas, made by src/meson.build: what was
 * compiled against, which is what runs where libraries are linked into the binary. */

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void print_libraries(const char *format)
{
    const char *at = SLUICE_LIBRARIES;
    while (*at != '\0') {
        int name = (int)strcspn(at, " ");
        int version = (int)strcspn(at + name + 1, ",");
        printf(format, name, at, version, at + name + 1);
        at += name + 1 + version;
        at += *at == ',';
    }
}

int verb_version(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "version", argc, argv))
        return cli.status;
    if (cli_flag(&cli, "json")) {
        printf("{\"version\":\"%s\",\"revision\":\"%s\",\"compiler\":\"%s\",\"libraries\":{",
               SLUICE_VERSION, SLUICE_REVISION, COMPILER);
        print_libraries("\"%.*s\":\"%.*s\",");
        printf("}}\n");
    } else {
        printf("sluice %s (%s)\n%s\n", SLUICE_VERSION, SLUICE_REVISION, COMPILER);
        print_libraries("%.*s %.*s\n");
    }
    return terminal_finish();
}
