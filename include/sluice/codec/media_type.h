/* media_type.h: of what type a picture, a document or a video is, by what is known of it. */
#ifndef SLUICE_CODEC_MEDIA_TYPE_H
#define SLUICE_CODEC_MEDIA_TYPE_H

#include "sluice/codec/turn_request.h"

/* May a part of this kind be of this type (any case)? What one model cannot read its writer refuses;
 * this is what makes no sense anywhere. */
bool media_type_fits(enum turn_part_kind kind, struct span type);

/* By the first bytes of the content: "image/png"; empty when they are not known here. */
struct span media_type_of_bytes(struct span bytes);

/* By the end of a path or URL: "…/cat.png"; empty when that says nothing. */
struct span media_type_of_name(struct span name);

/* Of a file that was fetched for a part of this kind, with this Content-Type (parameters and all, may
 * be empty). Where bytes tell the type they must tell one that fits; servers err about images among
 * each other, so there the bytes count. Empty and *problem ("it is no image") when it is something
 * else. */
struct span media_type_of_file(enum turn_part_kind kind, struct span content_type,
                               struct span bytes, const char **problem);

#endif
