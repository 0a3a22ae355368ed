/* Any bytes as a configuration file: read, checked, written back; what was written must be YAML. */
#include "sluice/config/snapshot.h"

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snapshot *load(struct span text, bool no_secrets, struct findings *f)
{
    struct snapshot *snap = NULL;
    char path[32];
    int fd = memfd_create("config", MFD_CLOEXEC);
    assert(fd >= 0);
    ssize_t written = write(fd, text.at, text.len);
    assert(written == (ssize_t)text.len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int rc = snapshot_load(&(struct load_options){.path = path, .no_secrets = no_secrets}, &snap,
                           f);
    assert((rc == 0) == (snap != NULL) && (rc == 0) == (f->errors == 0));
    close(fd);
    return snap;
}

static void write_findings(struct findings *f)
{
    struct buf out = {0};
    assert(findings_write(f, false, &out) == 0 && findings_write(f, true, &out) == 0);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct findings first = {0}, second = {0};
    struct buf yaml = {0};
    bool no_secrets = size > 0 && data[size - 1] % 2 == 0;
    struct snapshot *snap = load(span_of(data, size), no_secrets, &first);
    write_findings(&first);
    if (snap != NULL) {
        assert(snapshot_write_yaml(snap, &yaml) == 0);
        struct snapshot *again = load(buf_span(&yaml), no_secrets, &second);
        for (unsigned i = 0; i < second.n; i++)
            assert(strstr(second.at[i].err.text, "not valid YAML") == NULL);
        if (again != NULL)
            (void)snapshot_needs_restart(snap, again);
        snapshot_unref(again);
    }
    snapshot_unref(snap);
    buf_fini(&yaml);
    findings_fini(&first);
    findings_fini(&second);
    return 0;
}
