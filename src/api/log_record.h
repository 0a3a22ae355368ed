/* log_record.h: the record of a call as it is shown, in JSON and in CSV: one table of columns for both. */
#ifndef SLUICE_SRC_API_LOG_RECORD_H
#define SLUICE_SRC_API_LOG_RECORD_H

#include "sluice/format/json_out.h"
#include "sluice/store/history_record.h"

void log_record_write(struct json_out *o, const struct history_record *r);

/* RFC 4180: the line of names, and that of a record. */
void log_record_write_names(struct json_out *o);
void log_record_write_line(struct json_out *o, const struct history_record *r);

/* A cell that a spreadsheet takes for a text, whatever it begins with. */
void csv_text(struct json_out *o, struct span text);

/* Pico-dollars as an exact number of dollars; microseconds as milliseconds. */
void log_usd(struct json_out *o, uint64_t pd);
void log_ms(struct json_out *o, uint64_t us);
/* n of all, to six decimals; 0 of nothing. */
void log_share(struct json_out *o, uint64_t n, uint64_t all);

#endif
