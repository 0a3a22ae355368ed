/* form_request.h: a request that is a form, of transcriptions and translations of sound: what the gateway
 * reads in it, and the few bytes it changes.
 *
 * The same as openai_request.h for JSON: one pass notes where the fields we act on lie, the value of
 * `model` is replaced, fields that are the gateway's own are removed as parts, and every other byte goes
 * on as the client wrote it, with the boundary it chose. */
#ifndef SLUICE_CODEC_FORM_REQUEST_H
#define SLUICE_CODEC_FORM_REQUEST_H

#include "sluice/codec/openai_request.h"

struct form {
    struct span body;
    struct span boundary;   /* as in the Content-Type; empty: there is none */
    struct span path_model; /* the path fixes it: the body may leave it out; else empty */
    uint64_t file_max_bytes;
};

/* False with *why: a 400 that names the field, or a 413. */
bool form_request_read(const struct form *form, struct openai_request *out, struct fault *why);

/* The edits that turn the client's body into the one for an upstream. */
void form_request_splice(const struct openai_request *r, struct span model, struct arena *a,
                         struct json_splice *out);

#endif
