/* translation_options.h: what becomes of a request where a protocol has no word for what it says.
 *
 * Most of that follows from the protocols (protocols.md §6 to §10). These are the cases in which two
 * answers are right and only the operator knows which: `translation` in the configuration. All false
 * is the default, and what a translation does that nobody told anything. */
#ifndef SLUICE_CONFIG_TRANSLATION_OPTIONS_H
#define SLUICE_CONFIG_TRANSLATION_OPTIONS_H

#include <stdbool.h>

struct translation_options {
    bool drops_unknown_tools;    /* tools only the client's own protocol has; else refused */
    bool rejects_deferred_tools; /* tools to be found or called by other tools; else offered */
    bool instructs_json;         /* json_object in words where there is none; else refused */
    bool forces_schemas;         /* a schema by a tool that must be called; else refused */
    bool wraps_bad_arguments;    /* of calls in the history: {"_raw": "…"}; else refused */
    bool makes_missing_results;  /* of calls in the history; else refused */
    bool rejects_citations;      /* of documents; else none are made */
    bool shows_raw_reasoning;    /* to Responses clients; else as a summary */
    bool rejects_grammars;       /* of custom tools; else they go into the description */
};

#endif
