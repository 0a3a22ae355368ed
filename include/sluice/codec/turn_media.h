/* turn_media.h: what a request names by URL and an upstream wants as data.
 *
 * Whoever can get it does, gives each part its data, and then has the request written. */
#ifndef SLUICE_CODEC_TURN_MEDIA_H
#define SLUICE_CODEC_TURN_MEDIA_H

#include "sluice/codec/turn_codec.h"

struct turn_media {
    struct turn_part **parts; /* in the arena, in the order of the request */
    unsigned n;
};

/* The parts whose URL the upstream does not take. */
struct turn_media turn_media_missing(const struct turn_request *r,
                                     const struct upstream_codec *upstream,
                                     const struct wire_options *o, struct arena *a);

/* A part's URL as it is meant, NUL behind it; empty when it cannot be one. */
struct span turn_media_url(const struct turn_part *p, struct arena *a);

/* Gives the part its content, and leaves its URL out: `base64` must outlive the request. */
void turn_media_inline(struct turn_part *p, struct span media_type, struct span base64);

#endif
