/* The first byte says how the rest is cut; the rest is a text that may be JSON. */
#include "json_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span text = span_of(data + 1, size - 1);
    if (!json_agrees(text, 1u + data[0]))
        abort();
    /* the questions to whole texts stay inside theirs, whatever it holds */
    struct json_member member;
    struct span element;
    size_t cursor = 0;
    char out[64];
    (void)json_get(text, "model", &member);
    while (json_each(text, &cursor, &element))
        (void)json_string(element, out, sizeof(out));
    (void)json_key_is(text, "model");
    return 0;
}
