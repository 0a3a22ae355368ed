/* pipeline.h: what a model or an alias must be called to stand in a path: /v1/{pipeline}/chat/completions
 * (contract D-31). */
#ifndef SLUICE_CONFIG_PIPELINE_H
#define SLUICE_CONFIG_PIPELINE_H

#include "sluice/base/span.h"

/* 3 to 64 letters, digits, dashes and underscores, the first of them neither of the last two; and no word
 * that means something of its own at this place, today or some day. */
bool pipeline_is_id(struct span name);

#endif
