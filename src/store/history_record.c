#include "sluice/store/history_record.h"

enum { VERSION = 1, LENGTH_BYTES = 4, HEAD_BYTES = LENGTH_BYTES + 1 + HISTORY_PLACE_BYTES };
enum { VARINT_MAX = 10 };
/* What a writer of another version may have that we do not know. */
enum { FOREIGN_MAX = 256 };

_Static_assert(HEAD_BYTES + (HISTORY_NUMBERS + 3) * VARINT_MAX +
                       HISTORY_TEXTS * (2 + HISTORY_TEXT_MAX_BYTES) +
                       HISTORY_ATTEMPTS_MAX * (2 * (2 + HISTORY_TEXT_MAX_BYTES) + 2 * VARINT_MAX) <=
                   HISTORY_FRAME_MAX_BYTES,
               "what the longest record takes");

const char *history_status_name(enum history_status s)
{
    static const char *const names[CALL_STATUSES] = {
        [CALL_SUCCEEDED] = "success",
        [CALL_FAILED] = "failure",
        [CALL_TIMED_OUT] = "timeout",
        [CALL_GIVEN_UP] = "cancelled",
    };
    return names[s];
}

/* --- ids ------------------------------------------------------------------------------------------ */

enum { NO_DIGIT = 0x80 };

static uint8_t hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : NO_DIGIT;
}

/* All digits are looked at, so that the compiler may take many at a time: every call pays for it. */
bool history_id_read(struct span text, uint8_t out[HISTORY_ID_BYTES])
{
    uint8_t digits[2 * HISTORY_ID_BYTES], seen = 0;
    if (text.len != sizeof digits)
        return false;
    for (unsigned i = 0; i < sizeof digits; i++) {
        digits[i] = hex_digit(text.at[i]);
        seen |= digits[i];
    }
    for (unsigned i = 0; i < HISTORY_ID_BYTES; i++)
        out[i] = (uint8_t)(digits[2 * i] << 4 | digits[2 * i + 1]);
    return (seen & NO_DIGIT) == 0;
}

void history_id_write(const uint8_t id[HISTORY_ID_BYTES], char out[2 * HISTORY_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < HISTORY_ID_BYTES; i++) {
        out[2 * i] = digits[id[i] >> 4];
        out[2 * i + 1] = digits[id[i] & 15];
    }
}

/* --- writing -------------------------------------------------------------------------------------- */

/* LEB128: seven bits a byte, the lowest first. */
static uint8_t *put_number(uint8_t *at, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        *at++ = (uint8_t)(n | 0x80);
    *at++ = (uint8_t)n;
    return at;
}

/* Cut where no character is halved: a text that begins with a continuation is none. */
static uint8_t *put_text(uint8_t *at, struct span text)
{
    size_t len = text.len;
    if (len > HISTORY_TEXT_MAX_BYTES) {
        len = HISTORY_TEXT_MAX_BYTES;
        while (len > 0 && (text.at[len] & 0xc0) == 0x80)
            len--;
    }
    at = put_number(at, len);
    if (len > 0)
        memcpy(at, text.at, len);
    return at + len;
}

static uint8_t *put_attempt(uint8_t *at, const struct history_attempt *a)
{
    at = put_text(at, a->endpoint);
    at = put_text(at, a->result);
    at = put_number(at, a->status);
    return put_number(at, a->latency_ms);
}

struct history_place history_place_of(const struct history_record *r)
{
    struct history_place p;
    for (unsigned i = 0; i < 8; i++)
        p.at[i] = (uint8_t)(r->time_unix_ms >> (56 - 8 * i));
    memcpy(p.at + 8, r->id, HISTORY_ID_BYTES);
    return p;
}

uint64_t history_place_time(const struct history_place *p)
{
    uint64_t time = 0;
    for (unsigned i = 0; i < 8; i++)
        time = time << 8 | p->at[i];
    return time;
}

size_t history_frame_write(const struct history_record *r, uint8_t *out)
{
    struct history_place place = history_place_of(r);
    uint8_t *at = out + LENGTH_BYTES;
    *at++ = VERSION;
    memcpy(at, place.at, sizeof place.at);
    at += sizeof place.at;
    at = put_number(at, HISTORY_NUMBERS);
    for (unsigned i = 0; i < HISTORY_NUMBERS; i++)
        at = put_number(at, r->number[i]);
    at = put_number(at, HISTORY_TEXTS);
    for (unsigned i = 0; i < HISTORY_TEXTS; i++)
        at = put_text(at, r->text[i]);
    at = put_number(at, r->nattempts);
    for (unsigned i = 0; i < r->nattempts; i++)
        at = put_attempt(at, &r->attempts[i]);
    size_t len = (size_t)(at - out);
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        out[i] = (uint8_t)(len >> 8 * i);
    return len;
}

/* --- reading -------------------------------------------------------------------------------------- */

bool history_frame_next(struct span *frames, struct span *frame)
{
    size_t len = 0;
    if (frames->len < HEAD_BYTES)
        return false;
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        len |= (size_t)frames->at[i] << 8 * i;
    if (len < HEAD_BYTES || len > frames->len)
        return false;
    *frame = span_sub(*frames, 0, len);
    *frames = span_skip(*frames, len);
    return true;
}

static bool take_number(struct span *rest, uint64_t *out)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < VARINT_MAX && i < rest->len; i++) {
        n |= (uint64_t)(rest->at[i] & 0x7f) << 7 * i;
        if (rest->at[i] < 0x80) {
            *rest = span_skip(*rest, i + 1);
            *out = n;
            return true;
        }
    }
    return false;
}

static bool take_text(struct span *rest, struct span *out)
{
    uint64_t len;
    if (!take_number(rest, &len) || len > rest->len || len > HISTORY_TEXT_MAX_BYTES)
        return false;
    *out = span_sub(*rest, 0, (size_t)len);
    *rest = span_skip(*rest, (size_t)len);
    return true;
}

static bool take_attempt(struct span *rest, struct history_attempt *out)
{
    return take_text(rest, &out->endpoint) && take_text(rest, &out->result) &&
           take_number(rest, &out->status) && take_number(rest, &out->latency_ms);
}

static bool take_numbers(struct span *rest, struct history_record *out)
{
    uint64_t n, beyond;
    if (!take_number(rest, &n) || n > FOREIGN_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!take_number(rest, i < HISTORY_NUMBERS ? &out->number[i] : &beyond))
            return false;
    }
    return out->number[HISTORY_STATUS] < CALL_STATUSES;
}

static bool take_texts(struct span *rest, struct history_record *out)
{
    struct span beyond;
    uint64_t n;
    if (!take_number(rest, &n) || n > FOREIGN_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!take_text(rest, i < HISTORY_TEXTS ? &out->text[i] : &beyond))
            return false;
    }
    return true;
}

static bool take_attempts(struct span *rest, struct history_record *out)
{
    uint64_t n;
    if (!take_number(rest, &n) || n > HISTORY_ATTEMPTS_MAX)
        return false;
    out->nattempts = (unsigned)n;
    for (unsigned i = 0; i < n; i++) {
        if (!take_attempt(rest, &out->attempts[i]))
            return false;
    }
    return true;
}

bool history_frame_place(struct span frame, struct history_place *out)
{
    if (frame.len < HEAD_BYTES || frame.at[LENGTH_BYTES] != VERSION)
        return false;
    memcpy(out->at, frame.at + LENGTH_BYTES + 1, sizeof out->at);
    return true;
}

bool history_frame_read(struct span frame, struct history_record *out)
{
    struct history_place place;
    struct span rest = span_skip(frame, HEAD_BYTES);
    if (!history_frame_place(frame, &place))
        return false;
    *out = (struct history_record){.time_unix_ms = history_place_time(&place)};
    memcpy(out->id, place.at + 8, HISTORY_ID_BYTES);
    return take_numbers(&rest, out) && take_texts(&rest, out) && take_attempts(&rest, out);
}

bool history_record_next(struct span *frames, struct history_record *out)
{
    struct span frame;
    while (history_frame_next(frames, &frame)) {
        if (history_frame_read(frame, out))
            return true;
    }
    return false;
}

/* --- which ---------------------------------------------------------------------------------------- */

bool history_filter_takes(const struct history_filter *f, const struct history_record *r)
{
    return (f->model.len == 0 || span_eq(f->model, r->text[HISTORY_MODEL])) &&
           (f->provider.len == 0 || span_eq(f->provider, r->text[HISTORY_PROVIDER])) &&
           (f->key_id.len == 0 || span_eq(f->key_id, r->text[HISTORY_KEY_ID])) &&
           (f->key.len == 0 || span_eq(f->key, r->text[HISTORY_KEY_ID]) ||
            span_eq(f->key, r->text[HISTORY_KEY_NAME])) &&
           (f->status < 0 || (uint64_t)f->status == r->number[HISTORY_STATUS]);
}
