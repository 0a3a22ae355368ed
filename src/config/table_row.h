/* table_row.h: how the rows of the table of options are written. */
#ifndef SLUICE_SRC_CONFIG_TABLE_ROW_H
#define SLUICE_SRC_CONFIG_TABLE_ROW_H

#include "option.h"

#define MEMBER(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define COUNT(type, member) .count_offset = offsetof(type, member)
#define ROWS(rows) rows, sizeof(rows) / sizeof(rows[0])
#define DAY_MS 86400000u
#define WEEK_MS (7 * DAY_MS)

#endif
