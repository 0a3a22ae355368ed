#include "sluice/config/pipeline.h"

static bool is_reserved(struct span id)
{
    static const char *const words[] = {
        "account",   "activity", "ai",        "alerts",     "audio",       "audios", "balance",
        "batches",   "byok",     "chat",      "cloudsway",  "completions", "delete", "embeddings",
        "exa",       "files",    "firecrawl", "images",     "keys",        "list",   "logs",
        "media",     "messages", "models",    "perplexity", "providers",   "quota",  "rerank",
        "responses", "status",   "tavily",    "upload",     "video",       "videos",
    };
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (span_eq(id, span_text(words[i])))
            return true;
    }
    return false;
}

bool pipeline_is_id(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_word && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return name.len >= 3 && name.len <= 64 && !is_reserved(name);
}
