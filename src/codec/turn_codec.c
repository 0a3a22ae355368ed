#include "sluice/codec/turn_codec.h"

const struct upstream_codec *upstream_codec_for(enum upstream_api api)
{
    (void)api;
    return NULL;
}

const struct client_codec *client_codec_for(enum api_protocol api)
{
    (void)api;
    return NULL;
}
