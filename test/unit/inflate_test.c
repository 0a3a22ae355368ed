#include "unit.h"

#include "sluice/base/buf.h"
#include "sluice/http/inflate.h"

#include <errno.h>
#include <zlib.h>

/* window bits: 15 + 16 gzip, 15 zlib */
static struct buf compress_as(int window_bits, struct span text)
{
    struct buf out = {0};
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(buf_reserve(&out, deflateBound(&z, text.len)), 0);
    z.next_in = (Bytef *)(uintptr_t)text.at;
    z.avail_in = (unsigned)text.len;
    z.next_out = out.at;
    z.avail_out = (unsigned)out.cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out.tail = z.total_out;
    deflateEnd(&z);
    return out;
}

/* Decodes in pieces through a small room. Negative: refused. */
static int decode(struct inflater *i, struct span coded, size_t step, size_t room, struct buf *out)
{
    uint8_t bytes[64];
    assert_true(room <= sizeof(bytes));
    for (size_t at = 0; at < coded.len; at += step) {
        struct span piece = span_sub(coded, at, step);
        uint8_t *memory = exact_copy(piece);
        struct span in = span_of(memory, piece.len);
        size_t n;
        int rc;
        do {
            rc = inflater_step(i, &in, bytes, room, &n);
            assert_int_equal(buf_add(out, span_of(bytes, n)), 0);
        } while (rc == 0 && (in.len > 0 || n == room));
        free(memory);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static const char text[] = "data: {\"choices\":[]}\n\ndata: {\"choices\":[]}\n\ndata: [DONE]\n\n";

static void what_is_compressed_comes_out_however_it_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *coding;
        int window_bits;
    } rows[] = {{"gzip", 31}, {"GZIP", 31}, {"x-gzip", 31}, {"deflate", 15}};
    for (unsigned r = 0; r < ROWS(rows); r++) {
        struct buf coded = compress_as(rows[r].window_bits, span_text(text));
        for (size_t step = 1; step <= buf_len(&coded); step++) {
            struct inflater *i;
            struct buf out = {0};
            assert_int_equal(inflater_new(span_text(rows[r].coding), &i), 0);
            assert_non_null(i);
            assert_row(r, !inflater_is_complete(i));
            assert_row(r, decode(i, buf_span(&coded), step, step % 2 == 0 ? 64 : 3, &out) == 0);
            assert_row(r, inflater_is_complete(i));
            assert_span(buf_span(&out), text);
            inflater_free(i);
            buf_fini(&out);
        }
        buf_fini(&coded);
    }
}

static void identity_needs_nothing_and_other_codings_are_refused(void **state)
{
    (void)state;
    static const char *const none[] = {"", "identity", "Identity"};
    static const char *const unknown[] = {"br",          "zstd",     "gzip, gzip",
                                          "deflate, br", "compress", "*"};
    struct inflater *i;
    for (unsigned r = 0; r < ROWS(none); r++) {
        assert_row(r, inflater_new(span_text(none[r]), &i) == 0);
        assert_row(r, i == NULL);
    }
    for (unsigned r = 0; r < ROWS(unknown); r++) {
        assert_row(r, inflater_new(span_text(unknown[r]), &i) == -ENOTSUP);
        assert_row(r, i == NULL);
    }
    inflater_free(NULL);
}

static void damage_and_truncation_are_noticed(void **state)
{
    (void)state;
    struct buf coded = compress_as(31, span_text(text));
    struct span whole = buf_span(&coded);
    for (size_t len = 0; len < whole.len; len++) { /* cut off anywhere */
        struct inflater *i;
        struct buf out = {0};
        assert_int_equal(inflater_new(SPAN_LIT("gzip"), &i), 0);
        assert_int_equal(decode(i, span_sub(whole, 0, len), 7, 64, &out), 0);
        assert_false(inflater_is_complete(i));
        inflater_free(i);
        buf_fini(&out);
    }
    for (size_t at = 0; at < whole.len; at++) { /* one byte wrong, or one too many */
        struct inflater *i;
        struct buf out = {0};
        coded.at[at] ^= 0x55;
        assert_int_equal(inflater_new(SPAN_LIT("gzip"), &i), 0);
        int rc = decode(i, whole, 11, 64, &out);
        bool in_header = at >= 4 && at < 10; /* time and system: nothing depends on them */
        assert_row(at, in_header || rc == -EPROTO || !inflater_is_complete(i));
        coded.at[at] ^= 0x55;
        inflater_free(i);
        buf_fini(&out);
    }
    struct inflater *i;
    struct buf out = {0};
    assert_int_equal(buf_add_byte(&coded, 'x'), 0);
    assert_int_equal(inflater_new(SPAN_LIT("gzip"), &i), 0);
    assert_int_equal(decode(i, buf_span(&coded), 1, 64, &out), -EPROTO);
    inflater_free(i);
    buf_fini(&out);
    buf_fini(&coded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_compressed_comes_out_however_it_is_cut),
        cmocka_unit_test(identity_needs_nothing_and_other_codings_are_refused),
        cmocka_unit_test(damage_and_truncation_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
