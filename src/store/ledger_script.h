/* ledger_script.h: what runs inside Redis: the arithmetic of book.c, where it is atomic.
 *
 * One script of several operations. Nothing in it is newer than Redis 5; it replicates its effects.
 *
 * Keys (behind the configured prefix)
 *   alive         sorted set: the instances that count, by when they were last heard (Redis's clock). A
 *                 process is another instance after every connect
 *   rate:<scope>  hash: `r`, `t` the windows of requests and tokens as "<minute> <now> <before>"; under each
 *                 instance's name what it holds: "<live> <tasks> <dollars> <pico-dollars>". What belongs
 *                 to one that is not alive counts nothing as soon as it would be in somebody's way. Two
 *                 minutes after the last change it is gone, a day while something is held
 *   sum:<scope>   string, for ever: spent in total, by day, week and month, credited, withdrawn, when last
 *                 used; see ledger_text.h. Money is in two numbers, whole dollars and pico-dollars: in
 *                 one it would pass a double's 53 bits at 9,007 dollars
 *   base:<scope>  string: which run of the server, and the sums it began with. A server that lost what it
 *                 had (it was restarted without its data, or with older) gets from each replica what
 *                 that saw before, and the largest counts; what was added meanwhile is not lost in that
 *   seq:<process> the number of the last telling that was counted; a week
 *   paid:<id>     that this was credited; 400 days
 *
 * Operations: KEYS, ARGV after the name of the operation and of the instance; what is returned
 *   beat    alive                           the instance's name on the connection before; "run"
 *           how many are alive, how many of them come before this one, whether it was alive; asked for:
 *           the run
 *   admit   alive, rate and sum a scope     the query, limits a scope (ledger_text.h)
 *           which scope refused from 1 on and why, 0 and 0: none; the book of each scope afterwards
 *   tell    seq, rate and sum a scope,      a number, the run; for each scope the change, and
 *           base a scope                    "" or what was last seen of it in another run
 *           the book of each scope
 *   look    alive, rate and sum a scope     (nothing)
 *           the book of each scope
 *   credit  paid, rate, sum and base        "<1 to add, -1 to withdraw> <dollars> <pico-dollars>",
 *                                           the run
 *           whether it was new, the book */
#ifndef SLUICE_STORE_LEDGER_SCRIPT_H
#define SLUICE_STORE_LEDGER_SCRIPT_H

extern const char ledger_script[];

enum { LEDGER_ALIVE_MS = 15000, LEDGER_BEAT_MS = 2000 };

#endif
