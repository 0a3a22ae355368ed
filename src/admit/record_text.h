/* record_text.h: members of the JSON objects that records are. */
#ifndef SLUICE_SRC_ADMIT_RECORD_TEXT_H
#define SLUICE_SRC_ADMIT_RECORD_TEXT_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"
#include "sluice/format/json_out.h"

#include <yyjson.h>

/* Kept in the arena; NULL: there is no such text. */
const char *record_text(struct arena *a, yyjson_val *object, const char *name);
uint64_t record_number(yyjson_val *object, const char *name); /* 0: there is none */
/* At most `max` texts; what else is in the list is left out. */
struct text_list record_texts(struct arena *a, yyjson_val *object, const char *name, unsigned max);

/* With a comma in front. A text that is NULL is left out. */
void record_write_text(struct json_out *o, const char *name, const char *text);
void record_write_number(struct json_out *o, const char *name, uint64_t n);
void record_write_texts(struct json_out *o, const char *name, const struct text_list *texts);

#endif
