/* reference.c: what the table says, for people (Markdown) and for editors (JSON Schema). */
#include "option.h"

#include <stdio.h>

/* ── Markdown ────────────────────────────────────────────────────────────────────────────────── */

static int write_type(struct buf *out, const struct option *row)
{
    if (row->words == NULL)
        return buf_add_text(out, row->type->name);
    int rc = buf_add_text(out, row->type == &type_words ? "list of " : "");
    for (const struct word *w = row->words; rc == 0 && w->text != NULL; w++)
        rc = buf_addf(out, "%s`%s`", w == row->words ? "" : ", ", w->text);
    return rc;
}

static int write_default(struct buf *out, const struct option *row)
{
    if (row->required)
        return buf_add_text(out, "required");
    if (row->fallback == NULL)
        return buf_add_text(out, "–");
    if (row->type != &type_words)
        return buf_addf(out, "`%s`", row->fallback);
    int rc = buf_add_text(out, "`[");
    for (const char *c = row->fallback; rc == 0 && *c != '\0'; c++)
        rc = *c == ' ' ? buf_add_text(out, ", ") : buf_add_byte(out, (uint8_t)*c);
    return rc == 0 ? buf_add_text(out, "]`") : rc;
}

static int write_table_row(struct buf *out, const struct option *row)
{
    int rc = buf_addf(out, "| `%s` | ", row->name);
    if (rc == 0)
        rc = write_type(out, row);
    if (rc == 0)
        rc = buf_add_text(out, " | ");
    if (rc == 0)
        rc = write_default(out, row);
    if (rc == 0)
        rc = buf_addf(out, " | %s%s%s |\n", row->doc,
                      row->restart != NULL ? " A change needs a restart." : "",
                      row->inert ? " Checked, but not used by this version yet." : "");
    return rc;
}

/* Two options may share an object: store.tls has the keys of a provider's. */
static bool is_shown(const struct buf *out, const struct object *o)
{
    char heading[80];
    int n = snprintf(heading, sizeof heading, "### %s\n", o->title);
    return span_find(buf_span(out), span_of(heading, (size_t)n)) != SIZE_MAX;
}

static int write_section(struct buf *out, const struct object *o)
{
    int rc = buf_addf(out,
                      "### %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
                      o->title, o->doc);
    for (unsigned i = 0; rc == 0 && i < o->nrows; i++)
        rc = write_table_row(out, &o->rows[i]);
    if (rc == 0)
        rc = buf_add_text(out, "\n");
    for (unsigned i = 0; rc == 0 && i < o->nrows; i++) {
        const struct object *nested = o->rows[i].object;
        if (nested != NULL && !is_shown(out, nested))
            rc = write_section(out, nested);
    }
    return rc;
}

int options_write_reference(struct buf *out)
{
    return write_section(out, &root_object);
}

/* ── JSON Schema 2020-12 ─────────────────────────────────────────────────────────────────────── */

/* Any scalar may be a ${…} that becomes the right thing only when it is read. */
static bool may_be_expanded(const struct option *row)
{
    return row->type->parse != NULL;
}

static int schema_row(const struct option *row, struct buf *out)
{
    int rc = buf_addf(out, "\"%s\":{\"description\":\"", row->name);
    if (rc == 0)
        rc = buf_add_json(out, span_text(row->doc));
    if (rc == 0)
        rc = buf_add_text(out, "\",");
    if (rc == 0 && row->fallback != NULL && row->type != &type_words) {
        rc = buf_add_text(out, "\"default\":\"");
        if (rc == 0)
            rc = buf_add_json(out, span_text(row->fallback));
        if (rc == 0)
            rc = buf_add_text(out, "\",");
    }
    if (rc == 0 && may_be_expanded(row))
        rc = buf_add_text(out, "\"anyOf\":[{\"$ref\":\"#/$defs/expanded\"},{");
    if (rc == 0)
        rc = row->type->schema(row, out);
    return rc == 0 ? buf_add_text(out, may_be_expanded(row) ? "}]}" : "}") : rc;
}

static int schema_rows(const struct object *o, bool comma, struct buf *out)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < o->nrows; i++) {
        rc = buf_add_text(out, i == 0 && !comma ? "" : ",");
        if (rc == 0)
            rc = schema_row(&o->rows[i], out);
    }
    return rc;
}

static int schema_required(const struct object *o, struct buf *out)
{
    int rc = 0;
    unsigned n = 0;
    for (unsigned i = 0; rc == 0 && i < o->nrows; i++)
        if (o->rows[i].required)
            rc = buf_addf(out, "%s\"%s\"", n++ == 0 ? ",\"required\":[" : ",", o->rows[i].name);
    return rc == 0 && n > 0 ? buf_add_text(out, "]") : rc;
}

int object_schema(const struct object *o, struct buf *out)
{
    int rc = buf_add_text(out, "\"type\":[\"object\",\"null\"],\"properties\":{");
    if (rc == 0)
        rc = schema_rows(o, false, out);
    if (rc == 0 && o->shorthand != NULL)
        rc = schema_rows(o->shorthand, true, out);
    if (rc == 0)
        rc = buf_add_text(out, "},\"patternProperties\":{\"^x-\":true},"
                               "\"additionalProperties\":false");
    return rc == 0 ? schema_required(o, out) : rc;
}

int options_write_schema(struct buf *out)
{
    int rc = buf_add_text(
        out,
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"sluice.yaml\","
        "\"$defs\":{\"expanded\":{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{.+\\\\}\"},"
        "\"secret\":{\"oneOf\":[{\"type\":\"string\"},"
        "{\"type\":\"object\",\"properties\":{\"env\":{\"type\":\"string\"}},"
        "\"required\":[\"env\"],\"additionalProperties\":false},"
        "{\"type\":\"object\",\"properties\":{\"file\":{\"type\":\"string\"}},"
        "\"required\":[\"file\"],\"additionalProperties\":false}]}},");
    if (rc == 0)
        rc = object_schema(&root_object, out);
    return rc == 0 ? buf_add_text(out, "}\n") : rc;
}
