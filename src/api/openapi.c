#include "openapi_components.h"
#include "rows.h"

#include "sluice/format/json_out.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* GET /v1/openapi.json (contract META-2): the rows this listener serves, as they are served. Paths and
 * methods come from the table that routes; what a row's bodies look like is a name in openapi.json, the
 * part that is written by hand. Needs no key: there is nothing in it that is not in the documentation. */

enum { PATH_MAX_BYTES = 128 };

static void add(struct json_out *o, const char *text)
{
    json_out_span(o, span_text(text));
}

static void add_text(struct json_out *o, const char *member, const char *text)
{
    add(o, member);
    json_out_bytes(o, span_text(text));
}

/* --- paths ---------------------------------------------------------------------------------------- */

/* With the model fixed by the path, where models answer (contract 1.2). */
static bool has_pipeline_form(const struct row *row)
{
    return row_reaches_models(row) && strncmp(row->path, "/v1/", 4) == 0;
}

/* As the document writes them: what a star matches has a name. */
static void write_path(const struct row *row, bool in_pipeline, char out[PATH_MAX_BYTES])
{
    struct span behind = span_text(row->path), before;
    before = span_cut(&behind, '*');
    bool has_star = before.len < strlen(row->path);
    struct span rest = in_pipeline ? span_skip(before, 3) : before;
    snprintf(out, PATH_MAX_BYTES, "%s%.*s%s%.*s", in_pipeline ? "/v1/{pipeline}" : "",
             SPAN_FMT(rest), has_star ? "{id}" : "", SPAN_FMT(behind));
}

static struct span lower_method(const struct row *row, char out[16])
{
    const char *name = http_method_name(row->method);
    size_t n = 0;
    for (; name[n] != '\0' && n < 16; n++)
        out[n] = (char)tolower((unsigned char)name[n]);
    return span_of(out, n);
}

/* "/v1/models/{id}/endpoints" and GET: get_models_id_endpoints. */
static void add_operation_id(struct json_out *o, const struct row *row, const char *path)
{
    char id[PATH_MAX_BYTES + 16];
    size_t n = lower_method(row, id).len;
    for (const char *c = strncmp(path, "/v1/", 4) == 0 ? path + 3 : path; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c))
            id[n++] = *c;
        else if (id[n - 1] != '_' && c[1] != '\0')
            id[n++] = '_';
    }
    add(o, ",\"operationId\":");
    json_out_bytes(o, span_of(id, n));
}

static void add_parameters(struct json_out *o, const struct row *row, const char *path)
{
    static const struct {
        const char *in_path, *parameter;
    } known[] = {
        {"{pipeline}", "{\"name\":\"pipeline\",\"in\":\"path\",\"required\":true,\"description\":"
                       "\"A model or an alias; the body may leave `model` out.\","
                       "\"schema\":{\"type\":\"string\",\"pattern\":"
                       "\"^[A-Za-z0-9][A-Za-z0-9_-]{2,63}$\"}}"},
        {"{id}", "{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"description\":"
                 "\"It may hold slashes, as they are or percent-encoded.\","
                 "\"schema\":{\"type\":\"string\"}}"},
    };
    const char *between = ",\"parameters\":[";
    bool has_any = false;
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(path, known[i].in_path) == NULL)
            continue;
        add(o, between);
        add(o, known[i].parameter);
        between = ",";
        has_any = true;
    }
    /* Contract 0.5. What is answered at once runs no second time anyhow. */
    if (row->answer == NULL && (row->method == METHOD_POST || row->method == METHOD_DELETE)) {
        add(o, between);
        add(o, "{\"$ref\":\"#/components/parameters/IdempotencyKey\"}");
        has_any = true;
    }
    if (has_any)
        add(o, "]");
}

/* --- bodies --------------------------------------------------------------------------------------- */

/* "ChatRequest", "multipart/form-data Upload" or "audio/mpeg": a media type, application/json when it
 * is left out, and the name of a schema, anything when that is. */
static void add_content(struct json_out *o, const char *what)
{
    struct span name = span_text(what), type = SPAN_LIT("application/json");
    if (strchr(what, '/') != NULL)
        type = span_cut(&name, ' ');
    json_out_bytes(o, type);
    add(o, ":{");
    if (name.len > 0) {
        add(o, "\"schema\":{\"$ref\":\"#/components/schemas/");
        json_out_span(o, name);
        add(o, "\"}");
    }
    add(o, "}");
}

static void add_request(struct json_out *o, const struct row *row)
{
    bool takes_body = row->answer == NULL && row->method != METHOD_GET &&
                      row->method != METHOD_DELETE;
    if (row->body == NULL && !takes_body)
        return;
    add(o, ",\"requestBody\":{\"required\":true,\"content\":{");
    add_content(o, row->body != NULL ? row->body : "application/json");
    add(o, "}}");
}

static void add_responses(struct json_out *o, const struct row *row)
{
    add(o, ",\"responses\":{\"200\":{\"description\":\"It worked.\"");
    if (row->gives != NULL) {
        add(o, ",\"content\":{");
        add_content(o, row->gives);
    }
    if (row->events != NULL) {
        add(o, ",\"text/event-stream\":{\"schema\":{\"$ref\":\"#/components/schemas/");
        add(o, row->events);
        add(o, "\"}}");
    }
    add(o, row->gives != NULL ? "}}" : "}");
    add(o, ",\"default\":{\"$ref\":\"#/components/responses/Error\"}}");
}

/* --- operations ----------------------------------------------------------------------------------- */

static void add_security(struct json_out *o, const struct row *row)
{
    if (row->serves == SERVES_ADMIN)
        add(o, ",\"security\":[{\"adminToken\":[]}]");
    else if (row->kind == NULL)
        add(o, ",\"security\":[]");
}

static void add_operation(struct json_out *o, const struct row *row, const char *path)
{
    char method[16];
    json_out_bytes(o, lower_method(row, method));
    add_text(o, ":{\"tags\":[", row->kind != NULL ? row->kind->label : "operating");
    add(o, "]");
    if (row->summary != NULL)
        add_text(o, ",\"summary\":", row->summary);
    add_operation_id(o, row, path);
    add_parameters(o, row, path);
    add_request(o, row);
    add_responses(o, row);
    add_security(o, row);
    add(o, "}");
}

static bool is_first_of_its_path(unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (strcmp(row_at(i)->path, row_at(index)->path) == 0)
            return false;
    }
    return true;
}

/* All methods of a path. */
static void add_path(struct json_out *o, unsigned index, unsigned serves, bool in_pipeline)
{
    char path[PATH_MAX_BYTES];
    const char *between = ":{";
    write_path(row_at(index), in_pipeline, path);
    json_out_bytes(o, span_text(path));
    for (unsigned i = index; row_at(i) != NULL; i++) {
        const struct row *row = row_at(i);
        bool is_here = strcmp(row->path, row_at(index)->path) == 0 && (row->serves & serves) != 0 &&
                       (!in_pipeline || has_pipeline_form(row));
        if (!is_here)
            continue;
        add(o, between);
        add_operation(o, row, path);
        between = ",";
    }
    add(o, "}");
}

static void add_paths(struct json_out *o, unsigned serves)
{
    const char *between = ",\"paths\":{";
    for (unsigned i = 0; row_at(i) != NULL; i++) {
        if ((row_at(i)->serves & serves) == 0 || !is_first_of_its_path(i))
            continue;
        add(o, between);
        add_path(o, i, serves, false);
        between = ",";
        if (has_pipeline_form(row_at(i))) {
            add(o, between);
            add_path(o, i, serves, true);
        }
    }
    add(o, "}");
}

void openapi_document(const struct row *row, const struct call *call)
{
    (void)row;
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    add(&o, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"sluice\",\"version\":\"" SLUICE_VERSION
            "\",\"description\":\"One gateway in front of every model provider. Every path that "
            "begins with /v1 is also at /api/v1.\"},\"servers\":[{\"url\":\"/\"}],"
            "\"security\":[{\"key\":[]},{\"keyField\":[]}]");
    add_paths(&o, call->api->serves);
    add(&o, ",\"components\":");
    add(&o, openapi_components);
    add(&o, "}");
    if (o.rc < 0)
        abort(); /* as large as the table */
    reply(call->sink, 200, "application/json", call->fields, buf_span(&out));
    buf_fini(&out);
}
