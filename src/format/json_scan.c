/* Each state is a label inside run(): what may come next is decided where it is known, by a branch
 * of its own, and `state` is written only when the input ends in the middle. Strings, numbers and
 * literals keep how far they got in `sub` (and `literal_at`), so a cut inside an escape or an
 * exponent costs nothing but that byte. */
#include "sluice/format/json_scan.h"

#include "json_string.h"

#define NOWHERE SIZE_MAX

enum state {
    ST_VALUE,         /* a value must come */
    ST_FIRST_ELEMENT, /* behind '[': a value or ']' */
    ST_FIRST_KEY,     /* behind '{': a key or '}' */
    ST_KEY,           /* behind a comma in an object */
    ST_COLON,
    ST_AFTER_VALUE, /* a comma or the container's end */
    ST_LAST_MEMBER, /* the last member was reported; its '}' is the next byte */
    ST_END,         /* nothing but white space */
    ST_KEY_STRING,  /* inside a token: see `sub` */
    ST_STRING,
    ST_NUMBER,
    ST_LITERAL,
    ST_INVALID,
};

/* `sub` in ST_STRING and ST_KEY_STRING */
enum { STR_PLAIN, STR_ESCAPE, STR_HEX, STR_HEX_LAST = STR_HEX + 3, STR_CLOSED, STR_BAD };

/* `sub` in ST_NUMBER. From NUM_ZERO on the number may end here; behind NUM_ZERO digits go on. */
enum { NUM_MINUS, NUM_POINT, NUM_E, NUM_SIGN, NUM_ZERO, NUM_INTEGER, NUM_FRACTION, NUM_EXPONENT };

/* `sub` in ST_LITERAL: an enum json_kind from JSON_TRUE on */
static const struct span literals[] = {
    [JSON_TRUE] = {(const uint8_t *)"true", 4},
    [JSON_FALSE] = {(const uint8_t *)"false", 5},
    [JSON_NULL] = {(const uint8_t *)"null", 4},
};

void json_scan_init(struct json_scan *s)
{
    *s = (struct json_scan){.open = NOWHERE, .end = NOWHERE, .state = ST_VALUE};
}

/* --- strings --------------------------------------------------------------------------------- */

/* Goes on inside a string from s->sub, which then says how it went: STR_CLOSED, STR_BAD, or where
 * in the string the input ended. */
static const uint8_t *string_rest(struct json_scan *s, const uint8_t *p, const uint8_t *end)
{
    unsigned sub = s->sub;
    const char *problem = NULL;
    for (; p < end && sub < STR_CLOSED; p++) {
        if (sub == STR_PLAIN) {
            p = json_skip_inside(p, end);
            if (p == end)
                break;
            sub = *p == '"' ? STR_CLOSED : *p == '\\' ? STR_ESCAPE : STR_BAD;
            problem = "a control character inside a string";
        } else if (sub == STR_ESCAPE) {
            sub = is_escape(*p) ? STR_PLAIN : *p == 'u' ? STR_HEX : STR_BAD;
            problem = "an unknown escape";
        } else {
            sub = !is_hex(*p) ? STR_BAD : sub == STR_HEX_LAST ? STR_PLAIN : sub + 1;
            problem = "expected four hexadecimal digits";
        }
    }
    s->sub = (uint8_t)sub;
    if (sub != STR_BAD)
        return p;
    s->problem = problem;
    return p - 1; /* the offending byte */
}

/* Most strings are keys, words and ids without escapes: a few steps find their end. Behind the
 * closing quote of such a one, or NULL. */
static inline const uint8_t *short_string(const uint8_t *p, const uint8_t *end)
{
    for (unsigned steps = 0; steps < 4 && (size_t)(end - p) >= VEC_BYTES; steps++, p += VEC_BYTES) {
        unsigned at = vec_first(specials(vec_load(p)));
        if (at < VEC_BYTES)
            return p[at] == '"' ? p + at + 1 : NULL;
    }
    return NULL;
}

/* --- numbers and literals -------------------------------------------------------------------- */

static inline bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* What a number becomes with `c`, where plain digits do not just go on; NUM_MINUS: it ends. */
static inline unsigned number_turn(unsigned sub, uint8_t c)
{
    if (c == ',' || c == '}' || c == ']')
        return NUM_MINUS;
    if (is_digit(c)) {
        if (sub == NUM_MINUS)
            return c == '0' ? NUM_ZERO : NUM_INTEGER;
        return sub == NUM_POINT ? NUM_FRACTION : sub == NUM_ZERO ? NUM_MINUS : NUM_EXPONENT;
    }
    if (c == '.' && (sub == NUM_ZERO || sub == NUM_INTEGER))
        return NUM_POINT;
    if ((c | 0x20) == 'e' && (sub == NUM_ZERO || sub == NUM_INTEGER || sub == NUM_FRACTION))
        return NUM_E;
    return (c == '+' || c == '-') && sub == NUM_E ? NUM_SIGN : NUM_MINUS;
}

/* Behind the digits at `p`, eight at a time. Their bytes are 0x30 to 0x39: without 0x30, only
 * larger ones reach the top bit when 0x76 is added; a carry can only spoil what comes later. */
static inline const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= 8) {
        uint64_t eight;
        memcpy(&eight, p, sizeof(eight));
        eight = le64toh(eight) ^ UINT64_C(0x3030303030303030);
        uint64_t other = (eight + UINT64_C(0x7676767676767676)) | eight;
        other &= UINT64_C(0x8080808080808080);
        if (other != 0)
            return p + __builtin_ctzll(other) / 8;
        p += 8;
    }
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* Goes on inside a number from `*sub`; returns the first byte that does not belong to it. */
static inline const uint8_t *number(unsigned *sub, const uint8_t *p, const uint8_t *end)
{
    for (;; p++) {
        if (*sub > NUM_ZERO)
            p = skip_digits(p, end);
        unsigned turn = p == end ? NUM_MINUS : number_turn(*sub, *p);
        if (turn == NUM_MINUS)
            return p;
        *sub = turn;
    }
}

/* Behind the literal that starts at `p`, whose first letter was looked at, or NULL: not all there. */
static inline const uint8_t *whole_literal(enum json_kind kind, const uint8_t *p,
                                           const uint8_t *end)
{
    struct span word = literals[kind];
    if ((size_t)(end - p) < word.len || memcmp(p + word.len - 4, word.at + word.len - 4, 4) != 0)
        return NULL;
    return p + word.len;
}

/* Goes on inside a literal; complete when s->literal_at is its length. */
static inline const uint8_t *literal(struct json_scan *s, enum json_kind kind, const uint8_t *p,
                                     const uint8_t *end)
{
    struct span word = literals[kind];
    size_t at = s->literal_at;
    while (p < end && at < word.len && *p == word.at[at]) {
        p++;
        at++;
    }
    s->literal_at = (uint16_t)at;
    return p;
}

/* --- structure ------------------------------------------------------------------------------- */

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline bool in_object(const struct json_scan *s, unsigned depth)
{
    unsigned level = depth - 1;
    return s->containers[level / 64] >> level % 64 & 1;
}

static inline void set_container(struct json_scan *s, unsigned level, bool object)
{
    uint64_t bit = UINT64_C(1) << level % 64, *word = &s->containers[level / 64];
    *word = object ? *word | bit : *word & ~bit;
}

/* Is what lies at this depth a member to report (key or value)? */
static inline bool is_member(const struct json_scan *s, unsigned depth)
{
    return depth == 1 && s->root == JSON_OBJECT;
}

static inline void note_key(struct json_scan *s, size_t start)
{
    struct json_member *m = &s->member;
    m->comma_before = s->members == 0 ? NOWHERE : m->comma_after;
    m->comma_after = NOWHERE;
    m->key.start = start;
}

static inline void note_value(struct json_scan *s, unsigned depth, enum json_kind kind,
                              size_t start)
{
    if (depth > 1)
        return;
    if (depth == 0) {
        s->root = kind;
        s->open = start;
    } else {
        s->member.value.start = start;
        s->member.kind = kind;
    }
}

static inline void note_value_end(struct json_scan *s, unsigned depth, size_t end)
{
    if (depth > 1)
        return;
    if (depth == 0)
        s->end = end;
    else
        s->member.value.end = end;
}

static enum json_status invalid(struct json_scan *s, const char *problem)
{
    s->state = ST_INVALID;
    s->problem = problem;
    return JSON_INVALID;
}

static const char *after_value_problem(bool object)
{
    return object ? "expected a comma or '}'" : "expected a comma or ']'";
}

/* The labels are the states, in the order in which a text usually passes through them. Every one
 * starts with `p` at a byte to be looked at or at the input's end, and `*at` is left behind what
 * was consumed. One long function because this is the path every relayed chunk takes: `p`, `end`
 * and `depth` stay in registers, and each place has its own branch history. */
static enum json_status run(struct json_scan *s, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at, *behind;
    const uintptr_t zero = (uintptr_t)p - s->offset; /* where offset 0 would be */
    enum json_status status = JSON_MORE;
    enum state state = (enum state)s->state;
    unsigned depth = s->depth, sub = s->sub;
#define OFFSET(q) ((uintptr_t)(q) - zero)
#define PAUSE(resume)     \
    do {                  \
        state = (resume); \
        goto out;         \
    } while (0)
#define NEED_BYTE(resume)  \
    do {                   \
        if (p == end)      \
            PAUSE(resume); \
    } while (0)
#define NEED_TOKEN(resume)                                               \
    do {                                                                 \
        if (p == end || (*p <= ' ' && (p = skip_blanks(p, end)) == end)) \
            PAUSE(resume);                                               \
    } while (0)
#define REFUSE(problem)               \
    do {                              \
        *at = p;                      \
        return invalid(s, (problem)); \
    } while (0)

    switch (state) {
    case ST_VALUE:
        goto value;
    case ST_FIRST_ELEMENT:
        goto first_element;
    case ST_FIRST_KEY:
        goto first_key;
    case ST_KEY:
        goto key;
    case ST_COLON:
        goto colon;
    case ST_AFTER_VALUE:
        goto after_value;
    case ST_LAST_MEMBER:
        NEED_BYTE(ST_LAST_MEMBER);
        if (*p != '}')
            REFUSE("expected '}'");
        goto close;
    case ST_END:
        goto end_of_text;
    case ST_KEY_STRING:
        goto long_key;
    case ST_STRING:
        goto long_string;
    case ST_NUMBER:
        goto number;
    case ST_LITERAL:
        goto literal;
    case ST_INVALID:
        return JSON_INVALID;
    }

first_key:
    NEED_TOKEN(ST_FIRST_KEY);
    if (*p == '}')
        goto close;
    if (*p != '"')
        REFUSE("expected a key or '}'");
key:
    NEED_TOKEN(ST_KEY);
    if (*p != '"')
        REFUSE("expected a key");
    p++;
    if (is_member(s, depth))
        note_key(s, OFFSET(p));
    behind = short_string(p, end);
    if (behind != NULL) {
        p = behind;
        goto key_ended;
    }
    s->sub = STR_PLAIN;
long_key:
    p = string_rest(s, p, end);
    sub = s->sub;
    if (sub == STR_BAD)
        REFUSE(s->problem);
    if (sub != STR_CLOSED)
        PAUSE(ST_KEY_STRING);
key_ended:
    if (is_member(s, depth))
        s->member.key.end = OFFSET(p) - 1;
colon:
    NEED_TOKEN(ST_COLON);
    if (*p != ':')
        REFUSE("expected a colon");
    p++;
value:
    NEED_TOKEN(ST_VALUE);
any_value:
    switch (*p) {
    case '"':
        note_value(s, depth, JSON_STRING, OFFSET(p));
        behind = short_string(++p, end);
        if (behind == NULL) {
            s->sub = STR_PLAIN;
            goto long_string;
        }
        p = behind;
        goto value_ended;
    case '{':
    case '[':
        note_value(s, depth, *p == '{' ? JSON_OBJECT : JSON_ARRAY, OFFSET(p));
        if (depth == JSON_DEPTH_MAX)
            REFUSE("nested too deeply");
        set_container(s, depth++, *p == '{');
        if (*p++ == '{')
            goto first_key;
        goto first_element;
    case '-':
    case '0' ... '9':
        note_value(s, depth, JSON_NUMBER, OFFSET(p));
        sub = *p == '-' ? NUM_MINUS : *p == '0' ? NUM_ZERO : NUM_INTEGER;
        p++;
        goto number;
    case 't':
    case 'f':
    case 'n':
        sub = *p == 't' ? JSON_TRUE : *p == 'f' ? JSON_FALSE : JSON_NULL;
        note_value(s, depth, (enum json_kind)sub, OFFSET(p));
        behind = whole_literal((enum json_kind)sub, p, end);
        if (behind == NULL) {
            s->literal_at = 0;
            goto literal;
        }
        p = behind;
        goto value_ended;
    default:
        REFUSE("expected a value");
    }
first_element:
    NEED_TOKEN(ST_FIRST_ELEMENT);
    if (*p == ']')
        goto close;
    goto any_value;
long_string:
    p = string_rest(s, p, end);
    sub = s->sub;
    if (sub == STR_BAD)
        REFUSE(s->problem);
    if (sub != STR_CLOSED)
        PAUSE(ST_STRING);
    goto value_ended;
number:
    p = number(&sub, p, end);
    NEED_BYTE(ST_NUMBER);
    if (sub < NUM_ZERO)
        REFUSE("expected a digit");
    goto value_ended;
literal:
    p = literal(s, (enum json_kind)sub, p, end);
    if (s->literal_at < literals[sub].len) {
        NEED_BYTE(ST_LITERAL);
        REFUSE("expected true, false or null");
    }
    goto value_ended;
close:
    p++;
    depth--;
value_ended:
    note_value_end(s, depth, OFFSET(p));
    if (depth == 0)
        goto end_of_text;
after_value:
    NEED_TOKEN(ST_AFTER_VALUE);
    if (is_member(s, depth))
        goto member_ended;
    if (in_object(s, depth)) {
        if (*p == '}')
            goto close;
        if (*p++ == ',')
            goto key;
    } else {
        if (*p == ']')
            goto close;
        if (*p++ == ',')
            goto value;
    }
    p--;
    REFUSE(after_value_problem(in_object(s, depth)));
member_ended:
    if (*p == ',') {
        s->member.comma_after = OFFSET(p);
        p++;
        state = ST_KEY;
    } else if (*p == '}') {
        state =
            ST_LAST_MEMBER; /* left to the next call: a loop over the rest sees JSON_DONE then */
    } else {
        REFUSE(after_value_problem(true));
    }
    s->members++;
    status = JSON_MEMBER;
    goto out;
end_of_text:
    p = skip_blanks(p, end);
    state = ST_END;
    status = JSON_DONE;
    if (p < end)
        REFUSE("expected nothing more");
out:
    s->state = (uint8_t)state;
    s->sub = (uint8_t)sub;
    s->depth = (uint16_t)depth;
    *at = p;
    return status;
#undef OFFSET
#undef PAUSE
#undef NEED_BYTE
#undef NEED_TOKEN
#undef REFUSE
}

enum json_status json_scan_next(struct json_scan *s, struct span *text)
{
    static const uint8_t nothing[1];
    const uint8_t *start = text->len == 0 ? nothing : text->at, *p = start;
    enum json_status status = run(s, &p, start + text->len);
    s->offset += (size_t)(p - start);
    text->len -= (size_t)(p - start);
    if (text->at != NULL)
        text->at += p - start;
    return status;
}

bool json_scan_finish(struct json_scan *s)
{
    if (s->state == ST_NUMBER && s->depth == 0 && s->sub >= NUM_ZERO) {
        s->state = ST_END; /* nothing but the text's end could tell that it was complete */
        s->end = s->offset;
    }
    return s->state == ST_END;
}

static struct span without_space(struct span text)
{
    if (text.len == 0)
        return text;
    return span_skip(text, (size_t)(skip_blanks(text.at, text.at + text.len) - text.at));
}

bool json_find_named(struct span *rest, struct span quoted, struct span *value)
{
    size_t at;
    while ((at = span_find(*rest, quoted)) != SIZE_MAX) {
        *rest = without_space(span_skip(*rest, at + quoted.len));
        if (rest->len == 0 || rest->at[0] != ':')
            continue; /* a value, or an element */
        *rest = *value = without_space(span_skip(*rest, 1));
        return true;
    }
    return false;
}

bool json_is_object(struct span text)
{
    struct json_scan scan;
    enum json_status status;
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &text)) == JSON_MEMBER)
        continue;
    return status == JSON_DONE && scan.root == JSON_OBJECT;
}
