#include "sluice/config/payment.h"

#include "sluice/base/dollars.h"

/* --- what it comes to ----------------------------------------------------------------------------- */

struct payment payment_of(const struct account_options *a, uint64_t amount_pd, struct span id)
{
    const uint64_t cent = PD_PER_USD / 100;
    uint64_t fee = dollars_share(amount_pd, a->topup_fee_ppm) + a->topup_fee_pd;
    fee = (fee + cent - 1) / cent * cent;
    return (struct payment){
        .amount_pd = amount_pd, .fee_pd = fee, .total_pd = amount_pd + fee, .id = id};
}

/* --- where it is paid ----------------------------------------------------------------------------- */

enum place { PLACE_AMOUNT, PLACE_FEE, PLACE_TOTAL, PLACE_ACCOUNT, PLACE_ID, PLACES };
static const char *const places[PLACES] = {"amount", "fee", "total", "account", "id"};

static enum place place_of(struct span name)
{
    unsigned i = 0;
    while (i < PLACES && !span_eq(name, span_text(places[i])))
        i++;
    return (enum place)i;
}

const char *payment_url_problem(const char *url_template)
{
    struct span rest = span_text(url_template);
    if (!span_starts(rest, SPAN_LIT("https://")) && !span_starts(rest, SPAN_LIT("http://")))
        return "not a URL (write https://pay.example.org/?amount={amount}&id={id})";
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.at[i] <= ' ' || rest.at[i] >= 0x7f)
            return "has a character that no URL may have (percent-encode it)";
    }
    for (size_t at; (at = span_find(rest, SPAN_LIT("{"))) != SIZE_MAX;) {
        rest = span_skip(rest, at + 1);
        if (span_find(rest, SPAN_LIT("}")) == SIZE_MAX || place_of(span_cut(&rest, '}')) == PLACES)
            return "has a word in braces that nothing stands for (there are {amount}, {fee}, "
                   "{total}, {account} and {id})";
    }
    return NULL;
}

/* RFC 3986, 2.3: what needs no encoding anywhere. */
static bool is_unreserved(uint8_t c)
{
    uint8_t letter = c | 0x20;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static int write_encoded(struct span text, struct buf *out)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < text.len; i++)
        rc = is_unreserved(text.at[i]) ? buf_add_byte(out, text.at[i])
                                       : buf_addf(out, "%%%02X", text.at[i]);
    return rc;
}

static int write_place(const struct account_options *a, const struct payment *p, enum place place,
                       struct buf *out)
{
    char text[DOLLARS_TEXT_BYTES] = "";
    switch (place) {
    case PLACE_AMOUNT:
        dollars_write(p->amount_pd, text);
        break;
    case PLACE_FEE:
        dollars_write(p->fee_pd, text);
        break;
    case PLACE_TOTAL:
        dollars_write(p->total_pd, text);
        break;
    case PLACE_ACCOUNT:
        return write_encoded(span_text(a->name), out);
    case PLACE_ID:
        return write_encoded(p->id, out);
    case PLACES:
        break;
    }
    return buf_add_text(out, text);
}

int payment_write_url(const struct account_options *a, const struct payment *p, struct buf *out)
{
    struct span rest = span_text(a->topup_url);
    int rc = 0;
    while (rc == 0) {
        size_t at = span_find(rest, SPAN_LIT("{"));
        if (at == SIZE_MAX)
            return buf_add(out, rest);
        rc = buf_add(out, span_sub(rest, 0, at));
        rest = span_skip(rest, at + 1);
        if (rc == 0)
            rc = write_place(a, p, place_of(span_cut(&rest, '}')), out);
    }
    return rc;
}
