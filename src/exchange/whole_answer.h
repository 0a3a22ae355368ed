/* whole_answer.h: one JSON document of a provider's, looked at before any of it goes on.
 *
 * Reading it is work by the megabyte: some hundred of them take a second when vectors are to be written
 * anew. Nothing here touches the exchange, so that it can be done on any thread. */
#ifndef SLUICE_EXCHANGE_WHOLE_ANSWER_H
#define SLUICE_EXCHANGE_WHOLE_ANSWER_H

#include "sluice/base/buf.h"
#include "sluice/codec/passing.h"
#include "sluice/config/translation_options.h"
#include "sluice/token/tokenizer.h"

struct attempt;

struct whole_answer {
    struct span document; /* borrowed, or in one of the two below */
    struct buf held, recoded;
    const struct passing *passing;
    bool is_embeddings, wants_base64;
    struct passing_event seen; /* its spans lie in `document` */

    enum api_protocol api;

    /* of an answer without usage: what it answers, and how that is counted; then, what it took */
    struct buf request;
    enum vocabulary_name vocabulary;
    struct translation_options translation;
    struct usage counted;
};

/* What `document` will be read as. */
void whole_answer_init(struct whole_answer *w, const struct attempt *a, struct span document);
void whole_answer_fini(struct whole_answer *w);

/* Is it read within a millisecond? */
bool whole_answer_is_small(const struct whole_answer *w);

/* Writes vectors in the form that was asked for, and looks. */
void whole_answer_read(struct whole_answer *w);

/* Text whose provider does not say what it took: that is to be counted, which takes longer. */
bool whole_answer_is_uncounted(const struct whole_answer *w);
/* On the loop, before it; false without memory. */
bool whole_answer_keep_request(struct whole_answer *w, const struct attempt *a);
void whole_answer_count(struct whole_answer *w);

/* Why it cannot be passed on, NULL when it can (or when it is an error and says so itself). */
const char *whole_answer_problem(const struct whole_answer *w);

/* The document with the members that an answer of this exchange has besides, laid out as spans over it
 * and over `made`; returns how many. 0: no memory. */
#define WHOLE_ANSWER_SPANS 12
unsigned whole_answer_spans(const struct whole_answer *w, const struct attempt *a, struct buf *made,
                            struct span out[WHOLE_ANSWER_SPANS]);

#endif
