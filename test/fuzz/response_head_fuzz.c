/* Any bytes as responses on one connection; the first eight say where they are cut. */
#include "head_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_heads(false, data, size);
}
