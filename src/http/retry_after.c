#include "sluice/http/retry_after.h"

#include "sluice/base/wait.h"
#include "sluice/http/date.h"

static unsigned until(uint64_t then_s, const struct http_head *head, uint64_t now_unix_ms)
{
    uint64_t now_s = now_unix_ms / 1000;
    (void)http_date_read(head_value(head, "date"), &now_s);
    if (then_s <= now_s)
        return 0;
    return then_s - now_s < WAIT_MAX_MS / 1000 ? (unsigned)(then_s - now_s) * 1000 : WAIT_MAX_MS;
}

unsigned retry_after_read(const struct http_head *head, uint64_t now_unix_ms)
{
    struct span field = head_get(head, FIELD_RETRY_AFTER);
    unsigned ms = wait_read(head_value(head, "retry-after-ms"), 1); /* it is the more exact one */
    uint64_t then_s;
    if (ms != 0)
        return ms;
    if (http_date_read(field, &then_s))
        return until(then_s, head, now_unix_ms);
    return wait_read(field, 1000);
}
