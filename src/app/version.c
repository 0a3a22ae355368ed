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

static void print_libraries(bool as_json)
{
    const char *at = SLUICE_LIBRARIES;
    while (*at != '\0') {
        int name = (int)strcspn(at, " ");
        const char *version = at + name + 1;
        int len = (int)strcspn(version, ",");
        bool is_last = version[len] == '\0';
        if (as_json)
            printf("\"%.*s\":\"%.*s\"%s", name, at, len, version, is_last ? "" : ",");
        else
            printf("%.*s %.*s\n", name, at, len, version);
        at = version + len + (is_last ? 0 : 1);
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
        print_libraries(true);
        printf("}}\n");
    } else {
        printf("sluice %s (%s)\n%s\n", SLUICE_VERSION, SLUICE_REVISION, COMPILER);
        print_libraries(false);
    }
    return terminal_finish();
}
