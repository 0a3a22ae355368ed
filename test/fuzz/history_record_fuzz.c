/* Any bytes as frames of records: what is read can be written, and read again as it was. */
#include "sluice/store/history_record.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct history_record r, again;
    uint8_t bytes[HISTORY_FRAME_MAX_BYTES];
    while (history_record_next(&rest, &r)) {
        size_t n = history_frame_write(&r, bytes);
        assert(n <= sizeof bytes && history_frame_read(span_of(bytes, n), &again));
        assert(again.time_unix_ms == r.time_unix_ms && again.nattempts == r.nattempts);
        assert(memcmp(again.number, r.number, sizeof r.number) == 0);
        for (unsigned i = 0; i < HISTORY_TEXTS; i++)
            assert(span_eq(again.text[i], r.text[i]));
    }
    return 0;
}
