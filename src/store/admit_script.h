/* admit_script.h: the script that counts inside Redis. */
#ifndef SLUICE_STORE_ADMIT_SCRIPT_H
#define SLUICE_STORE_ADMIT_SCRIPT_H

/* KEYS[1]  where the window of a scope lives, as text: "<minute> <now> <before>"
 * ARGV     Unix milliseconds, rpm (0: no limit), and what a replica admitted while it could not reach
 *          Redis: in this minute, in the one before
 * Returns  { allowed (1 or 0), minute, now, before }, the window as it is afterwards: remaining
 *          requests and Retry-After follow from it (window.h). */
extern const char admit_script[];

#endif
