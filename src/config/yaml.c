/* libyaml's events, read by descent. Every node knows its height and weight, so a bound is checked
 * where it would be crossed and never by walking the tree again. */
#include "node.h"

#include "sluice/base/map.h"

#include <stdio.h>
#include <yaml.h>

struct reading {
    yaml_parser_t parser;
    struct arena *arena;
    struct findings *findings;
    const char *file;
    struct map anchors; /* name → struct anchor */
    uint64_t aliased;   /* weight that aliases and merges have added */
    unsigned depth;
    bool failed; /* the text makes no sense from here on */
    char path[128];
    size_t path_len;
};

struct anchor {
    struct span name;
    const struct node *node; /* NULL while it is being read: an alias to it would be a cycle */
};

struct entries {
    struct node_entry *at;
    unsigned n, cap;
};

static struct node *read_node(struct reading *r, yaml_event_t *event);

const struct node *node_get(const struct node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP)
        return NULL;
    struct span wanted = span_text(key);
    for (unsigned i = 0; i < map->nentries; i++)
        if (span_eq(map->entries[i].key, wanted))
            return map->entries[i].value;
    return NULL;
}

bool node_is_null(const struct node *n)
{
    return n->kind == NODE_SCALAR && n->plain &&
           (n->text.len == 0 || span_eq(n->text, SPAN_LIT("~")) ||
            span_eq(n->text, SPAN_LIT("null")));
}

static struct place place_of(const struct reading *r, yaml_mark_t mark)
{
    return (struct place){r->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* The first failure is the last finding: what follows would only be its echo. */
static void *fail(struct reading *r, yaml_mark_t mark, const char *text)
{
    if (!r->failed)
        findings_error(r->findings, place_of(r, mark), r->path, "%s", text);
    r->failed = true;
    return NULL;
}

static size_t path_push(struct reading *r, struct span key)
{
    size_t before = r->path_len;
    int n = snprintf(r->path + before, sizeof(r->path) - before, "%s%.*s", before == 0 ? "" : ".",
                     SPAN_FMT(span_sub(key, 0, sizeof(r->path))));
    if (n > 0)
        r->path_len = before + (size_t)n < sizeof(r->path) ? before + (size_t)n
                                                           : sizeof(r->path) - 1;
    return before;
}

static void path_pop(struct reading *r, size_t before)
{
    r->path_len = before;
    r->path[before] = '\0';
}

/* What libyaml says is short and about its state machine; a hint about the usual cause helps more. */
static const char *hint(const char *problem)
{
    static const struct {
        const char *problem, *hint;
    } hints[] = {
        {"found character that cannot start any token",
         "indent with spaces, not tabs, and quote values that start with @, ` or %"},
        {"mapping values are not allowed in this context",
         "check the indentation, and quote values that contain \": \""},
        {"could not find expected ':'", "is a \": \" missing after the key?"},
        {"did not find expected key", "check the indentation and the commas"},
        {"did not find expected ',' or ']'", "close the list with ]"},
        {"did not find expected ',' or '}'", "close the map with }"},
        {"found unexpected end of stream", "a quote is not closed"},
        {"found undefined tag handle", "quote values that start with !"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (strcmp(problem, hints[i].problem) == 0)
            return hints[i].hint;
    return "see the lines before, too";
}

static void syntax_error(struct reading *r)
{
    const char *problem = r->parser.problem == NULL ? "cannot be read" : r->parser.problem;
    yaml_mark_t mark = r->parser.problem_mark;
    if (r->parser.error == YAML_READER_ERROR) { /* knows only an offset */
        mark = r->parser.mark;
        problem = "not UTF-8 text, or a control character in it";
    }
    if (!r->failed)
        findings_error(r->findings, place_of(r, mark), "", "not valid YAML: %s (%s)", problem,
                       hint(problem));
    r->failed = true;
}

static bool next_event(struct reading *r, yaml_event_t *event)
{
    if (r->failed)
        return false;
    if (yaml_parser_parse(&r->parser, event))
        return true;
    syntax_error(r);
    return false;
}

static struct node *node_new(struct reading *r, enum node_kind kind, yaml_mark_t mark)
{
    struct node *n = ARENA_NEW(r->arena, struct node);
    *n = (struct node){.kind = kind,
                       .line = (unsigned)mark.line + 1,
                       .column = (unsigned)mark.column + 1,
                       .weight = 1};
    return n;
}

static struct node_entry *entries_add(struct reading *r, struct entries *list)
{
    if (list->n == list->cap) {
        unsigned cap = list->cap == 0 ? 4 : 2 * list->cap;
        struct node_entry *bigger = ARENA_ARRAY(r->arena, struct node_entry, cap);
        if (list->n > 0)
            memcpy(bigger, list->at, list->n * sizeof(*bigger));
        list->at = bigger;
        list->cap = cap;
    }
    return &list->at[list->n++];
}

static void count_child(struct node *parent, const struct node *child)
{
    parent->weight += child->weight;
    if (child->height + 1 > parent->height)
        parent->height = child->height + 1;
}

static struct anchor *anchor_declare(struct reading *r, const yaml_char_t *name)
{
    if (name == NULL)
        return NULL;
    struct anchor *a = ARENA_NEW(r->arena, struct anchor);
    a->name = arena_keep(r->arena, span_text((const char *)name));
    if (map_put(&r->anchors, a->name, a) < 0) /* a later one of the same name replaces it */
        r->failed = true;
    return a;
}

static bool adds_too_much(struct reading *r, const struct node *shared)
{
    r->aliased += shared->weight;
    return r->aliased > YAML_ALIAS_MAX || r->depth + shared->height > YAML_DEPTH_MAX;
}

/* The node itself is shared and stays unchanged from here on. */
static struct node *read_alias(struct reading *r, const yaml_event_t *event)
{
    struct span name = span_text((const char *)event->data.alias.anchor);
    struct anchor *a = map_get(&r->anchors, name);
    if (a == NULL)
        return fail(r, event->start_mark, "alias without an anchor (write &name before *name)");
    if (a->node == NULL)
        return fail(r, event->start_mark, "alias inside the value it stands for");
    if (adds_too_much(r, a->node))
        return fail(r, event->start_mark, "aliases make this file too large or too deep");
    struct node *copy = ARENA_NEW(r->arena, struct node);
    *copy = *a->node; /* shallow: entries are shared */
    return copy;
}

static struct node *read_scalar(struct reading *r, const yaml_event_t *event)
{
    struct node *n = node_new(r, NODE_SCALAR, event->start_mark);
    n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->text = arena_keep(r->arena, span_of(event->data.scalar.value, event->data.scalar.length));
    if (memchr(n->text.at, '\0', n->text.len) != NULL)
        return fail(r, event->start_mark, "contains a NUL character");
    return n;
}

static struct node *read_list(struct reading *r, const yaml_event_t *start)
{
    struct node *list = node_new(r, NODE_LIST, start->start_mark);
    struct entries items = {0};
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return NULL;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        yaml_mark_t mark = event.start_mark;
        char index[24];
        size_t before = r->path_len;
        snprintf(index, sizeof(index), "[%u]", items.n);
        if (before + strlen(index) < sizeof(r->path))
            r->path_len += (size_t)sprintf(r->path + before, "%s", index);
        const struct node *item = read_node(r, &event);
        path_pop(r, before);
        if (item == NULL)
            return NULL;
        *entries_add(r, &items) = (struct node_entry){
            .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1, .value = item};
        count_child(list, item);
    }
    list->entries = items.at;
    list->nentries = items.n;
    return list;
}

/* `<<: *base` or `<<: [*a, *b]` (YAML 1.1's merge type): members that the map does not have itself.
 * x- keys would be of little use without it. */
static void merge_from(struct reading *r, struct map *seen, struct entries *own, struct node *map,
                       const struct node *from)
{
    for (unsigned i = 0; i < from->nentries && !r->failed; i++) {
        struct node_entry e = from->entries[i];
        if (map_get(seen, e.key) != NULL)
            continue;
        if (map_put(seen, e.key, r) < 0) /* the value only says "there" */
            r->failed = true;
        *entries_add(r, own) = e;
        count_child(map, e.value);
    }
}

static void merge(struct reading *r, struct map *seen, struct entries *own, struct node *map,
                  const struct node *from, yaml_mark_t mark)
{
    if (from->kind == NODE_MAP) {
        merge_from(r, seen, own, map, from);
        return;
    }
    bool all_maps = from->kind == NODE_LIST;
    for (unsigned i = 0; all_maps && i < from->nentries; i++)
        all_maps = from->entries[i].value->kind == NODE_MAP;
    if (!all_maps) {
        fail(r, mark, "<< takes a map or a list of maps (write <<: *anchor)");
        return;
    }
    for (unsigned i = 0; i < from->nentries; i++)
        merge_from(r, seen, own, map, from->entries[i].value);
}

/* Reads the value of one key. False at the end of the map and after a failure. */
static bool read_entry(struct reading *r, struct map *seen, struct entries *own, struct node *map,
                       const struct node **merged, yaml_mark_t *merged_at)
{
    yaml_event_t event;
    if (!next_event(r, &event))
        return false;
    if (event.type == YAML_MAPPING_END_EVENT) {
        yaml_event_delete(&event);
        return false;
    }
    yaml_mark_t mark = event.start_mark;
    const struct node *key = read_node(r, &event);
    if (key == NULL)
        return false;
    if (key->kind != NODE_SCALAR) {
        fail(r, mark, "a key must be text (quote values that start with { or [)");
        return false;
    }
    size_t before = path_push(r, key->text);
    const struct node *value = next_event(r, &event) ? read_node(r, &event) : NULL;
    if (value == NULL) {
        path_pop(r, before);
        return false;
    }
    if (key->plain && span_eq(key->text, SPAN_LIT("<<"))) {
        *merged = value;
        *merged_at = mark;
    } else if (map_get(seen, key->text) != NULL) {
        findings_error(r->findings, place_of(r, mark), r->path,
                       "this key was given before (keep one of them)");
    } else {
        if (map_put(seen, key->text, r) < 0)
            r->failed = true;
        *entries_add(r, own) = (struct node_entry){key->text, (unsigned)mark.line + 1,
                                                   (unsigned)mark.column + 1, value};
        count_child(map, value);
    }
    path_pop(r, before);
    return !r->failed;
}

static struct node *read_map(struct reading *r, const yaml_event_t *start)
{
    struct node *map = node_new(r, NODE_MAP, start->start_mark);
    struct map seen = {0};
    struct entries own = {0};
    const struct node *merged = NULL;
    yaml_mark_t merged_at = start->start_mark;
    while (read_entry(r, &seen, &own, map, &merged, &merged_at))
        continue;
    if (merged != NULL && !r->failed)
        merge(r, &seen, &own, map, merged, merged_at);
    map_fini(&seen);
    map->entries = own.at;
    map->nentries = own.n;
    return r->failed ? NULL : map;
}

static struct node *read_nested(struct reading *r, const yaml_event_t *event)
{
    const yaml_char_t *name = event->type == YAML_SEQUENCE_START_EVENT
                                  ? event->data.sequence_start.anchor
                                  : event->data.mapping_start.anchor;
    struct anchor *anchor = anchor_declare(r, name);
    if (++r->depth > YAML_DEPTH_MAX)
        return fail(r, event->start_mark, "nested too deeply (32 levels at most)");
    struct node *n = event->type == YAML_SEQUENCE_START_EVENT ? read_list(r, event)
                                                              : read_map(r, event);
    r->depth--;
    if (anchor != NULL)
        anchor->node = n;
    return n;
}

/* Consumes `event`. NULL after a failure. */
static struct node *read_node(struct reading *r, yaml_event_t *event)
{
    struct node *n = NULL;
    if (event->type == YAML_ALIAS_EVENT) {
        n = read_alias(r, event);
    } else if (event->type == YAML_SCALAR_EVENT) {
        struct anchor *anchor = anchor_declare(r, event->data.scalar.anchor);
        n = read_scalar(r, event);
        if (anchor != NULL)
            anchor->node = n;
    } else {
        n = read_nested(r, event);
    }
    yaml_event_delete(event);
    return n;
}

/* Stream start, then documents. One is what we take: a second is a mistake more often than not. */
static struct node *read_stream(struct reading *r)
{
    struct node *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return NULL;
        yaml_event_type_t type = event.type;
        yaml_mark_t mark = event.start_mark;
        if (type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
            type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) {
            root = read_node(r, &event); /* deletes the event */
            if (root == NULL)
                return NULL;
            continue;
        }
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            break;
        if (type == YAML_DOCUMENT_START_EVENT && root != NULL)
            return fail(r, mark, "a second document (one file is one document: remove the ---)");
    }
    return root != NULL ? root : node_new(r, NODE_MAP, (yaml_mark_t){0});
}

/* libyaml compares each %TAG with all before it. No file needs one, so none is let through: a line
 * that starts with % is a directive or an error anyway. */
static bool has_directives(struct span text)
{
    while (text.len > 0) {
        struct span line = span_cut(&text, '\n');
        if (span_starts(line, SPAN_LIT("%")) && !span_starts(line, SPAN_LIT("%YAML")))
            return true;
    }
    return false;
}

const struct node *yaml_parse(struct span text, const char *file, struct arena *a,
                              struct findings *f)
{
    struct reading r = {.arena = a, .findings = f, .file = file};
    if (text.len > YAML_TEXT_MAX) {
        findings_error(f, (struct place){.file = file}, "", "larger than 8 MiB");
        return NULL;
    }
    if (has_directives(text)) {
        findings_error(f, (struct place){.file = file}, "",
                       "YAML directives (%%) are not used here");
        return NULL;
    }
    if (!yaml_parser_initialize(&r.parser)) {
        findings_error(f, (struct place){.file = file}, "", "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&r.parser,
                             YAML_UTF8_ENCODING); /* never guessed from the first bytes */
    yaml_parser_set_input_string(&r.parser, text.at, text.len);
    const struct node *root = read_stream(&r);
    yaml_parser_delete(&r.parser);
    map_fini(&r.anchors);
    return root;
}
