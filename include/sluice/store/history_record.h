/* history_record.h: what is kept of one call (contract 2.25, "Log record"): who asked what of whom, how it
 * went, how long it took, what it used and cost. Never a word of a prompt or an answer.
 *
 * Kept as a frame, which says its own length:
 *
 *   u32 length │ version │ u64 time, big endian │ 16 bytes id │ numbers │ texts │ attempts
 *
 * Numbers and texts are counted, and in the order of the two enums below: what an older frame lacks reads
 * as 0 and "", what a newer one has beyond is skipped. So a new one goes to the end of its enum, and no
 * row ever leaves. A frame that is none of ours is damaged, and whoever reads it steps over it. */
#ifndef SLUICE_STORE_HISTORY_RECORD_H
#define SLUICE_STORE_HISTORY_RECORD_H

#include "sluice/base/buf.h"

enum history_number {
    HISTORY_STATUS, /* enum history_status */
    HISTORY_HTTP_STATUS,
    HISTORY_FLAGS, /* enum history_flag */
    HISTORY_INPUT_TOKENS,
    HISTORY_OUTPUT_TOKENS,
    HISTORY_CACHED_TOKENS,
    HISTORY_CACHE_WRITE_TOKENS,
    HISTORY_REASONING_TOKENS,
    HISTORY_DURATION_US,
    HISTORY_TTFT_US, /* 0: no token was seen */
    HISTORY_OVERHEAD_US,
    HISTORY_LIST_COST_PD, /* pico-dollars, all of them */
    HISTORY_DISCOUNTED_COST_PD,
    HISTORY_FINAL_COST_PD,
    HISTORY_BYOK_COST_PD,
    HISTORY_NUMBERS
};

enum history_text {
    HISTORY_CLIENT_REQUEST_ID,
    HISTORY_ENDPOINT_ROW, /* "chat" */
    HISTORY_MODEL,
    HISTORY_UPSTREAM_MODEL,
    HISTORY_PROVIDER,
    HISTORY_ENDPOINT,
    HISTORY_KEY_ID,
    HISTORY_ERROR_TYPE,
    HISTORY_FINISH_REASON,
    HISTORY_NATIVE_FINISH_REASON,
    HISTORY_BATCH_ID,
    HISTORY_KEY_NAME, /* as it was called then */
    HISTORY_TEXTS
};

enum history_status { CALL_SUCCEEDED, CALL_FAILED, CALL_TIMED_OUT, CALL_GIVEN_UP, CALL_STATUSES };
/* "success", "failure", "timeout", "cancelled" */
const char *history_status_name(enum history_status s);

enum history_flag {
    CALL_STREAMED = 1,
    CALL_ON_OWN_KEY = 2, /* the caller's own credential */
    CALL_INSURED = 4,
    CALL_STICKY = 8, /* answered where its conversation was */
    CALL_USAGE_ESTIMATED = 16,
};

enum {
    HISTORY_ID_BYTES = 16,
    HISTORY_ATTEMPTS_MAX = 8,
    HISTORY_TEXT_MAX_BYTES = 128, /* what is longer is cut */
    HISTORY_PLACE_BYTES = 8 + HISTORY_ID_BYTES,
    HISTORY_FRAME_MAX_BYTES = 5120,
};

struct history_attempt {
    struct span endpoint, result; /* "openai", "status_5xx" */
    uint64_t status, latency_ms;
};

struct history_record {
    uint64_t time_unix_ms; /* of its end: when what it cost was known */
    uint8_t id[HISTORY_ID_BYTES];
    uint64_t number[HISTORY_NUMBERS];
    struct span text[HISTORY_TEXTS];
    struct history_attempt attempts[HISTORY_ATTEMPTS_MAX];
    unsigned nattempts;
};

/* A request's id as text: 32 hexadecimal digits. */
bool history_id_read(struct span text, uint8_t out[HISTORY_ID_BYTES]);
void history_id_write(const uint8_t id[HISTORY_ID_BYTES], char out[2 * HISTORY_ID_BYTES]);

/* At `out` there is room for HISTORY_FRAME_MAX_BYTES; returns how many were written. */
size_t history_frame_write(const struct history_record *r, uint8_t *out);

/* The next frame of several, whole; false: no further one, or what follows is none. */
bool history_frame_next(struct span *frames, struct span *frame);
/* False: damaged. Spans lie in the frame. */
bool history_frame_read(struct span frame, struct history_record *out);
/* The next record of these; damaged ones are passed over. */
bool history_record_next(struct span *frames, struct history_record *out);

/* Where a record stands among all others, by time and then by id: compared as bytes. */
struct history_place {
    uint8_t at[HISTORY_PLACE_BYTES];
};
struct history_place history_place_of(const struct history_record *r);
/* Of a frame that history_frame_next has given: no need to read all of it. False: damaged. */
bool history_frame_place(struct span frame, struct history_place *out);
uint64_t history_place_time(const struct history_place *p);

/* What may be asked for; spans that are empty and a `status` below 0 are anything. */
struct history_filter {
    struct span model, provider, key_id;
    struct span key; /* a key's id or name */
    int status;
};
bool history_filter_takes(const struct history_filter *f, const struct history_record *r);

#endif
