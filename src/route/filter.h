/* filter.h: who may answer a request at all (contract 2.1, step 2), and what is said when nobody may. */
#ifndef SLUICE_SRC_ROUTE_FILTER_H
#define SLUICE_SRC_ROUTE_FILTER_H

#include "places.h"

/* What is the same for all endpoints of a model. */
struct filtering {
    struct places only, ignore;
    unsigned shown, wanted;                             /* bits of enum modality */
    bool (*is_able)(void *arg, const struct target *t); /* NULL: they all are */
    void *arg;
    unsigned matters;             /* bits of enum capability: it must have them */
    unsigned quantizations;       /* bits 1 << enum quantization */
    uint64_t context, max_output; /* tokens it must read, and may have to write */
    bool lacks_key;               /* that may use the model */
    bool is_picky;                /* one of these at least, or `ignore`, or `quantizations` */
    bool is_plain;                /* nothing but context matters */
    bool names_some, denies_collection, wants_zdr, wants_distillable;
};

/* All but lacks_key. */
struct filtering filter_begin(const struct plan_question *q, struct arena *scratch);

/* FILTER_NONE, or the first filter that takes it out; fills `missing`. */
void filter_judge(const struct filtering *f, struct considered *c);

/* Not taken out by any. */
static inline bool is_kept(const struct considered *c)
{
    return c->dropped_by == FILTER_NONE;
}

/* The fault when all of `considered` were taken out. */
void filter_explain(const struct plan_question *q, const struct considered *considered, unsigned n,
                    struct fault *why);

#endif
