/* config_bed.h: writing a configuration, loading it, and what is said about it. */
#ifndef SLUICE_TEST_CONFIG_BED_H
#define SLUICE_TEST_CONFIG_BED_H

#include "unit.h"

#include "../../src/config/presets.h"
#include "sluice/config/snapshot.h"

#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "config_bed.XXXXXX"; /* where the test runs: its build directory */
static char config_path[64], secret_path[64];

static inline void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

struct loaded {
    struct snapshot *snap; /* NULL when refused */
    struct findings findings;
    struct buf said;
};

static inline struct loaded load_with(const char *text, struct load_options o)
{
    struct loaded l = {0};
    if (text != NULL) {
        write_file(config_path, text, 0600);
        o.path = config_path;
    }
    int rc = snapshot_load(&o, &l.snap, &l.findings);
    assert_true((rc == 0) == (l.snap != NULL));
    assert_true((rc == 0) == (l.findings.errors == 0));
    assert_int_equal(findings_write(&l.findings, false, &l.said), 0);
    assert_int_equal(buf_add_byte(&l.said, 0), 0);
    return l;
}

static inline struct loaded load(const char *text)
{
    return load_with(text, (struct load_options){0});
}

static inline const char *said(const struct loaded *l)
{
    return (const char *)l->said.at;
}

static inline void loaded_fini(struct loaded *l)
{
    snapshot_unref(l->snap);
    findings_fini(&l->findings);
    buf_fini(&l->said);
}

/* A good file, or everything that was said about it. */
static inline struct loaded good(const char *text)
{
    struct loaded l = load(text);
    if (l.snap == NULL)
        print_error("%s", said(&l));
    assert_non_null(l.snap);
    return l;
}

#define HASH_A "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""

struct bad_row {
    const char *text; /* of the file */
    const char *says; /* after the file's name: one whole line */
};

/* Everything said must be that line and the summary; other warnings are allowed. */
static inline void check_bad(const struct bad_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct loaded l = load(rows[i].text);
        char line[700];
        snprintf(line, sizeof(line), "%s%s\n", config_path, rows[i].says);
        if (strstr(said(&l), line) == NULL || l.findings.errors != 1)
            print_error("row %zu wanted %sgot %s", i, line, said(&l));
        assert_row(i, strstr(said(&l), line) != NULL);
        assert_row(i, l.findings.errors == 1);
        assert_row(i, l.snap == NULL);
        loaded_fini(&l);
    }
}

static inline int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < npresets; i++)
        if (presets[i].variable != NULL)
            unsetenv(presets[i].variable);
    unsetenv("CREDENTIALS_DIRECTORY");
    setenv("SLUICE_TEST_KEY", "sl_test_0123456789", 1);
    setenv("SLUICE_TEST_EMPTY", "", 1);
    setenv("SLUICE_TEST_PATH", "/a: [b", 1);
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(config_path, sizeof(config_path), "%s/sluice.yaml", directory);
    snprintf(secret_path, sizeof(secret_path), "%s/secret", directory);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    unlink(config_path);
    unlink(secret_path);
    return rmdir(directory);
}

#endif
