#include "loaded.h"

#include <stdio.h>
#include <stdlib.h>

void findings_print(const struct findings *f)
{
    struct buf out = {0};
    if (findings_write(f, false, &out) < 0)
        abort(); /* bounded by how many findings are kept */
    fprintf(stderr, "%.*s", SPAN_FMT(buf_span(&out)));
    buf_fini(&out);
}

struct snapshot *snapshot_for_verb(const struct cli *cli, bool no_secrets)
{
    const struct load_options load = {
        .path = snapshot_find(cli_text(cli, "config")),
        .no_secrets = no_secrets,
    };
    struct snapshot *s = NULL;
    struct findings findings = {0};
    if (snapshot_load(&load, &s, &findings) < 0)
        findings_print(&findings);
    findings_fini(&findings);
    return s;
}
