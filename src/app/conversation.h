/* conversation.h: the messages of a chat so far, as the JSON they are sent in. */
#ifndef SLUICE_APP_CONVERSATION_H
#define SLUICE_APP_CONVERSATION_H

#include "sluice/base/buf.h"

struct conversation {
    const char *model;   /* borrowed */
    const char *system;  /* borrowed, NULL: none */
    struct buf messages; /* elements of the array, separated by commas */
};

/* What can be forgotten again: a question that was not answered. */
size_t conversation_mark(const struct conversation *c);
void conversation_return(struct conversation *c, size_t mark);

int conversation_add(struct conversation *c, const char *role, struct span text)
    __attribute__((warn_unused_result));
/* The body of a request that streams the next answer with its usage and its cost. */
int conversation_write(const struct conversation *c, struct buf *out)
    __attribute__((warn_unused_result));
void conversation_fini(struct conversation *c);

#endif
