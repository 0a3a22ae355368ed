/* The same arithmetic as window.c, where it is atomic. One key, two commands, nothing that needs a
 * cluster or a version newer than Redis 4. Numbers are doubles: a time in milliseconds times a count
 * of a minute stays far below 2^53. */
#include "admit_script.h"

const char admit_script[] =
    "local unix_ms, rpm = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local owed_now, owed_before = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "local minute, now, before = 0, 0, 0\n"
    "local text = redis.call('GET', KEYS[1])\n"
    "if text then\n"
    "  local m, n, b = string.match(text, '^(%d+) (%d+) (%d+)$')\n"
    "  if m then minute, now, before = tonumber(m), tonumber(n), tonumber(b) end\n"
    "end\n"
    "\n"
    "local this = math.floor(unix_ms / 60000)\n"
    "if this == minute + 1 then\n"
    "  minute, now, before = this, 0, now\n"
    "elseif this ~= minute and this + 1 ~= minute then\n" /* a clock slightly behind moves nothing */
    "  minute, now, before = this, 0, 0\n"
    "end\n"
    "local elapsed = 0\n"
    "if this == minute then elapsed = unix_ms % 60000 end\n"
    "\n"
    "now = now + owed_now\n"
    "before = before + owed_before\n"
    "local allowed = rpm == 0 or now + math.floor(before * (60000 - elapsed) / 60000) < rpm\n"
    "if allowed then now = now + 1 end\n"
    "if allowed or owed_now + owed_before > 0 then\n"
    "  redis.call('SET', KEYS[1], string.format('%d %d %d', minute, now, before), 'PX', 120000)\n"
    "end\n"
    "return { allowed and 1 or 0, minute, now, before }\n";
