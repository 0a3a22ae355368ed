/* chat_tools.h: the tools of a request to a Chat Completions upstream, and which of them may be called. */
#ifndef SLUICE_SRC_CODEC_CHAT_TOOLS_H
#define SLUICE_SRC_CODEC_CHAT_TOOLS_H

#include "turn_writing.h"

/* Appends the members about tools, if there are any. False with w->why. */
bool chat_put_tools(struct writing *w);

#endif
