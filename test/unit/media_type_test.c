/* What a file is, and whether a part may show it. */
#include "unit.h"

#include "sluice/codec/media_type.h"

#define PNG "\x89PNG\r\n\x1a\n...."
#define JPEG "\xff\xd8\xff\xe0...."
#define WEBP "RIFF\1\1\1\1WEBPVP8 "
#define MP4 "....ftypisom"
#define MOV "....ftypqt  "
#define WEBM "\x1a\x45\xdf\xa3...."
#define PDF "%PDF-1.7\n"
#define HTML "<!doctype html>"

static void first_bytes_tell_the_type(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *type;
    } rows[] = {
        {"", ""},
        {"\x89PNG", ""},
        {"\x89PNG\r\n\x1a", ""},
        {"\xff\xd8", ""},
        {"GIF88a", ""},
        {"GIF8", ""},
        {"RIFF", ""},
        {"RIFF\1\1\1\1WAVE", ""},
        {"RIFF\1\1\1\1WEB", ""},
        {"%PDF", ""},
        {" %PDF-1.7", ""},
        {HTML, ""},
        {"....ftyp", "video/mp4"},
        {"...ftyp", ""},
        {"<svg>", ""},
        {PNG, "image/png"},
        {JPEG, "image/jpeg"},
        {"GIF87a", "image/gif"},
        {"GIF89a..", "image/gif"},
        {WEBP, "image/webp"},
        {PDF, "application/pdf"},
        {MP4, "video/mp4"},
        {MOV, "video/quicktime"},
        {WEBM, "video/webm"},
        {"....ftypheic", "image/heic"},
        {"....ftypavif", "image/avif"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span s = span_text(rows[i].bytes);
        uint8_t *copy = exact_copy(s);
        assert_span(media_type_of_bytes(span_of(copy, s.len)), rows[i].type);
        free(copy);
    }
    assert_span(media_type_of_bytes(span_of("\0\0\1\xba", 4)), "video/mpeg");
    assert_span(media_type_of_bytes(span_of("\0\0\1\xb3", 4)), "video/mpeg");
}

static void names_tell_the_type(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
    } rows[] = {
        {"", ""},
        {".png", ""},
        {"https://h/cat", ""},
        {"https://h/cat.png.exe", ""},
        {"https://h/?f=cat.png", ""},
        {"https://h/#cat.png", ""},
        {"gs://b/cat.PNG", "image/png"},
        {"gs://b/cat.jpeg?x=.gif", "image/jpeg"},
        {"gs://b/a.mov#t=1", "video/quicktime"},
        {"gs://b/a.pdf", "application/pdf"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_span(media_type_of_name(span_text(rows[i].name)), rows[i].type);
}

static void a_file_is_what_it_says_and_looks_like(void **state)
{
    (void)state;
    static const struct {
        enum turn_part_kind kind;
        const char *said, *bytes, *type; /* "": refused */
    } rows[] = {
        {PART_IMAGE, "text/html", PNG, ""},
        {PART_IMAGE, "application/pdf", PNG, ""},
        {PART_IMAGE, "video/mp4", PNG, ""},
        {PART_IMAGE, "image/", PNG, ""},
        {PART_IMAGE, "image/png", HTML, ""},
        {PART_IMAGE, "image/png", PDF, ""},
        {PART_IMAGE, "image/png", MP4, ""},
        {PART_IMAGE, "image/svg+xml", "<svg>", ""},
        {PART_IMAGE, "image/avif", "....ftypavif", ""},
        {PART_IMAGE, "", HTML, ""},
        {PART_IMAGE, "", PNG, "image/png"},
        {PART_IMAGE, "image/png", PNG, "image/png"},
        {PART_IMAGE, "image/png", WEBP, "image/webp"},
        {PART_IMAGE, "Image/JPG ; q=1", JPEG, "image/jpeg"},
        {PART_IMAGE, "application/octet-stream", JPEG, "image/jpeg"},
        {PART_IMAGE, "binary/octet-stream", "GIF89a", "image/gif"},
        {PART_DOCUMENT, "text/html", HTML, ""},
        {PART_DOCUMENT, "text/html", PDF, ""},
        {PART_DOCUMENT, "application/pdf", HTML, ""},
        {PART_DOCUMENT, "", HTML, ""},
        {PART_DOCUMENT, "", "plain", ""},
        {PART_DOCUMENT, "application/msword", "\xd0\xcf", ""},
        {PART_DOCUMENT, "text/plain", PNG, ""},
        {PART_DOCUMENT, "application/pdf", PDF, "application/pdf"},
        {PART_DOCUMENT, "application/octet-stream", PDF, "application/pdf"},
        {PART_DOCUMENT, "text/plain; charset=utf-8", "plain", "text/plain"},
        {PART_DOCUMENT, "text/markdown", "# x", "text/markdown"},
        {PART_VIDEO, "text/html", HTML, ""},
        {PART_VIDEO, "video/mp4", HTML, ""},
        {PART_VIDEO, "video/x-msvideo", "RIFF\1\1\1\1AVI ", ""},
        {PART_VIDEO, "image/png", MP4, ""},
        {PART_VIDEO, "video/mp4", MP4, "video/mp4"},
        {PART_VIDEO, "video/mp4", MOV, "video/quicktime"},
        {PART_VIDEO, "", WEBM, "video/webm"},
        {PART_AUDIO, "audio/wav", "RIFF\1\1\1\1WAVE", ""},
        {PART_TEXT, "text/plain", "x", ""},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const char *problem = NULL;
        struct span type = media_type_of_file(rows[i].kind, span_text(rows[i].said),
                                              span_text(rows[i].bytes), &problem);
        assert_row(i, span_eq(type, span_text(rows[i].type)));
        assert_row(i, (type.len == 0) == (problem != NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_bytes_tell_the_type),
        cmocka_unit_test(names_tell_the_type),
        cmocka_unit_test(a_file_is_what_it_says_and_looks_like),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
