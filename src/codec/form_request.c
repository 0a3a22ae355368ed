#include "sluice/codec/form_request.h"

#include "sluice/format/multipart.h"

#include <stdio.h>

static bool reject(struct fault *why, const char *param, const char *message)
{
    *why = (struct fault){.kind = FAULT_INVALID_REQUEST, .param = param};
    snprintf(why->message, sizeof why->message, "%s", message);
    return false;
}

/* Of a part we act on, the bytes that would be edited. */
static bool note(struct openai_request *r, size_t start, size_t end, enum noted_role role,
                 struct fault *why)
{
    if (r->nnoted == OPENAI_NOTED_MAX)
        return reject(why, "", "the same fields are repeated too often");
    r->noted[r->nnoted].member = (struct json_member){.value = {start, end}};
    r->noted[r->nnoted++].role = role;
    return true;
}

static bool read_model(struct openai_request *r, const struct multipart_part *p, struct fault *why)
{
    if (r->named.at != NULL)
        return reject(why, "model", "\"model\" is given twice");
    if (p->is_file)
        return reject(why, "model", "\"model\" must be a field, not a file");
    r->named = p->value;
    return openai_request_check_name(p->value, why) &&
           note(r, p->value_at, p->value_at + p->value.len, NOTED_MODEL, why);
}

/* However the clients' languages write it. */
static bool read_stream(struct openai_request *r, struct span value, struct fault *why)
{
    r->stream = span_ieq(value, SPAN_LIT("true")) || span_eq(value, SPAN_LIT("1"));
    return r->stream || value.len == 0 || span_ieq(value, SPAN_LIT("false")) ||
           span_eq(value, SPAN_LIT("0")) ||
           reject(why, "stream", "\"stream\" must be true or false");
}

/* The JSON text a field holds, without what stands around it; empty when it holds none. */
static struct span json_of(struct span value)
{
    struct json_scan scan;
    struct span rest = value;
    json_scan_init(&scan);
    while (json_scan_next(&scan, &rest) == JSON_MEMBER)
        continue;
    if (!json_scan_finish(&scan))
        return SPAN_NONE;
    return span_sub(value, scan.open, scan.end - scan.open);
}

/* Ours are JSON, as in other requests. SDKs spell objects and lists as fields of their own, provider[only][],
 * which nobody here puts together again: better said than not seen. */
static bool read_own(struct openai_request *r, const struct multipart_part *p, const char *param,
                     struct fault *why)
{
    bool is_provider = strcmp(param, "provider") == 0;
    if (!is_provider && strcmp(param, "models") != 0)
        return openai_request_read_own(r, param, p->value, why) &&
               note(r, p->start, p->end, NOTED_GATEWAY_ONLY, why);
    struct span json = p->name.len == strlen(param) ? json_of(p->value) : SPAN_NONE;
    if (json.len == 0) {
        reject(why, param, "");
        snprintf(why->message, sizeof why->message,
                 "\"%s\" must be one field that holds JSON, as in {\"only\": [\"name\"]}", param);
        return false;
    }
    *(is_provider ? &r->provider : &r->models) = json;
    return note(r, p->start, p->end, NOTED_GATEWAY_ONLY, why);
}

static bool is_text_format(struct span format)
{
    return format.len > 0 && span_find(format, SPAN_LIT("json")) == SIZE_MAX;
}

static bool read_part(struct openai_request *r, const struct form *form,
                      const struct multipart_part *p, struct fault *why)
{
    struct span bare = p->name, base = span_cut(&bare, '[');
    const char *own = openai_request_own_member(base);
    if (p->value.len > form->file_max_bytes) {
        reject(why, "file", "the file is larger than server.file_max allows");
        why->kind = FAULT_PAYLOAD_TOO_LARGE;
        return false;
    }
    if (own != NULL)
        return read_own(r, p, own, why);
    if (span_eq(p->name, SPAN_LIT("model")))
        return read_model(r, p, why);
    if (span_eq(p->name, SPAN_LIT("stream")))
        return read_stream(r, p->value, why);
    if (span_eq(p->name, SPAN_LIT("response_format")))
        r->wants_text = is_text_format(p->value);
    if (span_eq(p->name, SPAN_LIT("file")) || span_eq(p->name, SPAN_LIT("url"))) /* Groq */
        r->has_subject = true;
    return true;
}

static bool read_parts(const struct form *form, struct openai_request *r, struct fault *why)
{
    struct multipart m;
    enum multipart_status status;
    multipart_init(&m, form->body, form->boundary);
    r->open = m.at;
    while ((status = multipart_next(&m)) == MULTIPART_PART) {
        if (!read_part(r, form, &m.part, why))
            return false;
    }
    if (status == MULTIPART_END)
        return true;
    reject(why, "", "");
    snprintf(why->message, sizeof why->message, "the body is not a valid form: %s, at byte %zu",
             m.problem, m.offset);
    return false;
}

bool form_request_read(const struct form *form, struct openai_request *out, struct fault *why)
{
    *out = (struct openai_request){.boundary = form->boundary};
    if (form->boundary.len == 0)
        return reject(why, "", "the Content-Type says no boundary, or none that can be one");
    if (!read_parts(form, out, why))
        return false;
    out->lacks_model = out->named.at == NULL;
    out->model = form->path_model.len > 0 ? form->path_model : out->named;
    if (out->model.len == 0 && out->models.len == 0)
        return reject(why, "model", "\"model\" is missing; GET /v1/models lists what there is");
    return true;
}

static struct span model_part(const struct openai_request *r, struct span model, struct arena *a)
{
    return span_text(
        arena_printf(a, "--%.*s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%.*s\r\n",
                     SPAN_FMT(r->boundary), SPAN_FMT(model)));
}

void form_request_splice(const struct openai_request *r, struct span model, struct arena *a,
                         struct json_splice *out)
{
    out->nedits = 0;
    if (r->lacks_model)
        splice_insert(out, r->open, model_part(r, model, a));
    for (unsigned i = 0; i < r->nnoted; i++) {
        const struct json_member *m = &r->noted[i].member;
        bool is_model = r->noted[i].role == NOTED_MODEL;
        if (!is_model || !span_eq(r->named, model))
            splice_replace(out, m->value.start, m->value.end, is_model ? model : SPAN_NONE);
    }
}
