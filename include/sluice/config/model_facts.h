/* model_facts.h: what a model takes and what it does not, where a translated request has to know.
 *
 * Providers add and withdraw parameters model by model, so these are data (protocols.md §1.6): a
 * table knows the models it has heard of (catalog/facts.h), a configuration overrules it. */
#ifndef SLUICE_CONFIG_MODEL_FACTS_H
#define SLUICE_CONFIG_MODEL_FACTS_H

enum model_fact {
    FACT_REASONING = 1 << 0,       /* it can be told how hard to think */
    FACT_THINKING_BUDGET = 1 << 1, /* by a number of tokens instead of a word */
    FACT_THINKING_OFF = 1 << 2,    /* and not to think at all */
    FACT_EFFORT_XHIGH = 1 << 3,    /* words it knows beyond low, medium and high */
    FACT_EFFORT_MAX = 1 << 4,
    FACT_EFFORT_MINIMAL = 1 << 14,
    FACT_SAMPLING = 1 << 5,           /* temperature, top_p, top_k */
    FACT_TOP_K = 1 << 6,              /* chat, Converse: top_k among them */
    FACT_SYSTEM_ANYWHERE = 1 << 7,    /* messages: system messages at their places */
    FACT_REPLAYS_REASONING = 1 << 8,  /* chat: wants reasoning_content of earlier turns back */
    FACT_WEB_SEARCH = 1 << 9,         /* chat: web_search_options; messages: its web_search tool */
    FACT_CUSTOM_TOOLS = 1 << 10,      /* chat: tools of free text; else they become functions */
    FACT_COMPLETION_TOKENS = 1 << 11, /* chat: max_completion_tokens; else max_tokens */
    FACT_SHORT_CALL_IDS = 1 << 12,    /* chat: nine letters and digits, no more and no less */
    FACT_CACHE_KEY = 1 << 15,         /* chat: prompt_cache_key */
    FACT_ENCRYPTED_REASONING = 1 << 16, /* responses: can be told to give it, for the next turn */
    FACT_CACHE_PREFIX = 1 << 13,        /* messages: ask for caching when the client said nothing */
    FACT_JSON_SCHEMA = 1 << 17,         /* its answers can be held to a schema */
    FACT_THOUGHT_SIGNATURES = 1 << 18,  /* chat: Gemini's, on its calls, in extra_content */
    FACT_PREFILL = 1 << 19,      /* chat, messages: it goes on with an answer that was begun */
    FACT_PREFILL_MARK = 1 << 20, /* chat: where the beginning is marked, with `prefix` */
    FACT_PREFILL_SWITCH =
        1 << 21,                 /* chat: where the request says so, with continue_final_message */
    FACT_PREFILL_ECHO = 1 << 22, /* chat: it repeats the beginning first */
};

/* As far as somebody said so: only the bits in `known` count. */
struct fact_options {
    unsigned known, yes; /* of enum model_fact */
};

/* As a configuration calls it: "reasoning". */
const char *model_fact_name(enum model_fact fact);
enum { MODEL_FACTS = 23 };

#endif
