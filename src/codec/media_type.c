#include "sluice/codec/media_type.h"

/* --- what fits ------------------------------------------------------------------------------------ */

static const char *const images[] = {"image/png", "image/jpeg", "image/webp", "image/gif", NULL};
static const char *const videos[] = {"video/mp4", "video/mpeg",      "video/webm",
                                     "video/mov", "video/quicktime", NULL};
static const char *const texts[] = {"text/plain", "text/markdown", "text/csv", NULL};

static struct span listed(const char *const *list, struct span type)
{
    for (; *list != NULL; list++) {
        if (span_ieq(type, span_text(*list)))
            return span_text(*list);
    }
    return SPAN_NONE;
}

bool media_type_fits(enum turn_part_kind kind, struct span type)
{
    switch (kind) {
    case PART_IMAGE:
        return span_ieq(span_sub(type, 0, 6), SPAN_LIT("image/")) && type.len > 6;
    case PART_VIDEO:
        return listed(videos, type).len > 0;
    case PART_DOCUMENT:
        return type.len > 0;
    default:
        return false;
    }
}

/* --- what bytes say ------------------------------------------------------------------------------- */

#define BYTES(text) {(const uint8_t *)("" text), sizeof(text) - 1}
#define NOTHING {NULL, 0}

struct span media_type_of_bytes(struct span bytes)
{
    static const struct {
        struct span first;
        unsigned then_at;
        struct span then;
        const char *type;
    } known[] = {
        {BYTES("\x89PNG\r\n\x1a\n"), 0, NOTHING, "image/png"},
        {BYTES("\xff\xd8\xff"), 0, NOTHING, "image/jpeg"},
        {BYTES("GIF87a"), 0, NOTHING, "image/gif"},
        {BYTES("GIF89a"), 0, NOTHING, "image/gif"},
        {BYTES("RIFF"), 8, BYTES("WEBP"), "image/webp"},
        {BYTES("%PDF-"), 0, NOTHING, "application/pdf"},
        {BYTES("\x1a\x45\xdf\xa3"), 0, NOTHING, "video/webm"},
        {BYTES("\x00\x00\x01\xba"), 0, NOTHING, "video/mpeg"},
        {BYTES("\x00\x00\x01\xb3"), 0, NOTHING, "video/mpeg"},
        /* ISO 14496-12 §4.3: the brand says whose file it is; two of them are pictures' */
        {NOTHING, 4, BYTES("ftypqt  "), "video/quicktime"},
        {NOTHING, 4, BYTES("ftyphei"), "image/heic"},
        {NOTHING, 4, BYTES("ftypavif"), "image/avif"},
        {NOTHING, 4, BYTES("ftyp"), "video/mp4"},
        {NOTHING, 4, BYTES("moov"), "video/quicktime"},
    };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_starts(bytes, known[i].first) &&
            span_starts(span_skip(bytes, known[i].then_at), known[i].then))
            return span_text(known[i].type);
    }
    return SPAN_NONE;
}

/* --- what names say ------------------------------------------------------------------------------- */

struct span media_type_of_name(struct span name)
{
    static const struct {
        const char *ending, *type;
    } known[] = {
        {".png", "image/png"},       {".jpg", "image/jpeg"},   {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},       {".webp", "image/webp"},  {".pdf", "application/pdf"},
        {".txt", "text/plain"},      {".md", "text/markdown"}, {".csv", "text/csv"},
        {".mp4", "video/mp4"},       {".mpeg", "video/mpeg"},  {".mpg", "video/mpeg"},
        {".mov", "video/quicktime"}, {".webm", "video/webm"},  {".mp3", "audio/mpeg"},
        {".wav", "audio/wav"},
    };
    struct span path = name;
    path = span_cut(&path, '#');
    path = span_cut(&path, '?');
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct span ending = span_text(known[i].ending);
        if (path.len > ending.len && span_ieq(span_skip(path, path.len - ending.len), ending))
            return span_text(known[i].type);
    }
    return SPAN_NONE;
}

/* --- what a server says --------------------------------------------------------------------------- */

/* What servers say of files they know nothing about. */
static bool says_nothing(struct span type)
{
    static const char *const words[] = {"application/octet-stream",   "binary/octet-stream",
                                        "application/binary",         "application/x-download",
                                        "application/force-download", NULL};
    return type.len == 0 || listed(words, type).len > 0;
}

static struct span refused(const char **problem, const char *what)
{
    *problem = what;
    return SPAN_NONE;
}

static struct span image_type(struct span said, struct span seen, const char **problem)
{
    if (!says_nothing(said) && !media_type_fits(PART_IMAGE, said))
        return refused(problem, "what is there is no image, by its Content-Type");
    struct span type = listed(images, seen);
    return type.len > 0 ? type
                        : refused(problem, "what is there is no PNG, JPEG, WebP or GIF image, by "
                                           "its first bytes");
}

static struct span document_type(struct span said, struct span seen, const char **problem)
{
    struct span pdf = SPAN_LIT("application/pdf"), text = listed(texts, said);
    if (text.len > 0 && seen.len == 0)
        return text;
    if (!says_nothing(said) && !span_ieq(said, pdf))
        return refused(problem, "what is there is neither a PDF nor plain text, by its "
                                "Content-Type");
    return span_eq(seen, pdf) ? pdf
                              : refused(problem, "what is there is no PDF, by its first bytes");
}

static struct span video_type(struct span said, struct span seen, const char **problem)
{
    if (!says_nothing(said) && !media_type_fits(PART_VIDEO, said))
        return refused(problem, "what is there is no MP4, MPEG, MOV or WebM video, by its "
                                "Content-Type");
    if (!media_type_fits(PART_VIDEO, seen))
        return refused(problem, "what is there is no MP4, MPEG, MOV or WebM video, by its first "
                                "bytes");
    return seen;
}

struct span media_type_of_file(enum turn_part_kind kind, struct span content_type,
                               struct span bytes, const char **problem)
{
    struct span said = span_trim(span_cut(&content_type, ';'));
    struct span seen = media_type_of_bytes(bytes);
    switch (kind) {
    case PART_IMAGE:
        return image_type(said, seen, problem);
    case PART_DOCUMENT:
        return document_type(said, seen, problem);
    case PART_VIDEO:
        return video_type(said, seen, problem);
    default:
        return refused(problem, "parts of this kind have no URL");
    }
}
