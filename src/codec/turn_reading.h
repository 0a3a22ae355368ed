/* turn_reading.h: what the readers of client requests have in common. */
#ifndef SLUICE_SRC_CODEC_TURN_READING_H
#define SLUICE_SRC_CODEC_TURN_READING_H

#include "sluice/codec/turn_request.h"
#include "sluice/format/json_walk.h"

struct reading {
    const struct translation_options *o;
    struct arena *a;
    struct turn_request *r;
    struct fault *why;
    bool lacks_tools; /* some were left out */
};

/* Each returns true when the value is what it should be, else false with a 400 for `path`. */
bool reading_refuse(struct reading *g, struct span path, const char *problem);
bool reading_string(struct reading *g, const struct json_walk *w, struct span path,
                    struct span *raw);
bool reading_number(struct reading *g, const struct json_walk *w, struct span path,
                    struct span *lexeme);
bool reading_object(struct reading *g, const struct json_walk *w, struct span path,
                    struct span *lexeme);
bool reading_array(struct reading *g, const struct json_walk *w, struct span path,
                   struct span *lexeme);
bool reading_bool(struct reading *g, const struct json_walk *w, struct span path, bool *out);

/* A member of the request that is not for a provider at all. */
bool reading_is_gateways(const struct json_walk *w);
/* A member that is nobody's: noted by its name behind `where`, unless its value says nothing. */
void reading_unread(struct reading *g, const char *where, const struct json_walk *w);

/* A tool of this type is in no other protocol: refused by its path, or left out and noted. */
bool reading_unknown_tool(struct reading *g, struct span type, struct span path);
/* A tool that searches for tools: where all are offered it would find nothing more. */
bool reading_tool_search(struct reading *g, struct span type, struct span path);
/* A member of a tool that keeps it from the model until another tool finds or calls it. */
bool reading_deferred(struct reading *g, const struct json_walk *w, struct span path);
/* After all tools and the choice were read: is what must be called still there? */
bool reading_check_choice(struct reading *g);

/* New elements; NULL with a 400 when there are too many. */
struct turn_message *reading_add_message(struct reading *g, enum turn_role role, struct span path);
struct turn_part *reading_add_part(struct reading *g, struct turn_part ***end,
                                   enum turn_part_kind kind, struct span path);

/* `key` below `path`, for an error only: made when it is needed. */
struct span reading_path(struct reading *g, struct span path, const char *key);

/* The member of this name as a raw string; empty when absent or no string. */
struct span reading_text_of(struct span object, const char *key);

/* The same string without escapes, where what it says needs none: PHP writes "image\/png". */
struct span reading_plain(struct reading *g, struct span raw);

/* Where the content of a media part is: in a data URL, whose type must fit the part, or elsewhere. */
bool reading_location(struct reading *g, struct span raw, struct turn_part *p);
/* The same for data in base64 that comes with its type. */
bool reading_data(struct reading *g, struct span media_type, struct span data, struct turn_part *p);

#endif
