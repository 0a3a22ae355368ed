/* messages_tools.h: the tools of a request to a Messages upstream, and which of them may be called. */
#ifndef SLUICE_SRC_CODEC_MESSAGES_TOOLS_H
#define SLUICE_SRC_CODEC_MESSAGES_TOOLS_H

#include "turn_writing.h"

/* Appends the members about tools, if there are any. False with w->why. */
bool messages_put_tools(struct writing *w);

#endif
