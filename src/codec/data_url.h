/* data_url.h: content that is its own address (RFC 2397). */
#ifndef SLUICE_SRC_CODEC_DATA_URL_H
#define SLUICE_SRC_CODEC_DATA_URL_H

#include "sluice/base/arena.h"

struct data_url {
    struct span media_type; /* raw, without parameters; never empty */
    struct span data;       /* raw base64, never empty */
};

enum data_url_kind {
    DATA_URL_NONE, /* it is another URL */
    DATA_URL_READ,
    DATA_URL_BAD,
};

/* `raw` is the inside of a JSON string. Base64 is neither decoded nor checked: it may be megabytes,
 * and who reads it will look. Content that is percent-encoded instead becomes base64, in the arena. */
enum data_url_kind data_url_read(struct span raw, struct arena *a, struct data_url *out);

#endif
