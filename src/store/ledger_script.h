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
 *   sum:<scope>   hash, for ever: `s` spent in total, by day, week and month, credited, withdrawn, when last
 *                 used; see ledger_text.h. Money is in two numbers, whole dollars and pico-dollars: in
 *                 one it would pass a double's 53 bits at 9,007 dollars. Beside it the parts it is the sum
 *                 of (parts.h), each by its name: "<version> <era> <sums>". `v`: the version of the last
 *                 change, and with which the hash began (both in microseconds of Redis's clock, so that no
 *                 version comes twice). `run`: the run of the server in which it was last told, and since
 *                 when (Unix ms). A server that lost what it had (it was restarted without its data, or
 *                 with older) is told by each replica every part that saw, and keeps the larger of each.
 *                 Parts begun three days ago or more are folded into `base`, once this run has been told
 *                 for a day: so nobody who lives still has one of them to tell
 *   seq:<process> the number of the last telling that was counted; a week
 *   paid:<id>     that this was credited; 400 days
 *
 * Operations: KEYS, ARGV after the name of the operation and of the instance; what is returned
 *   beat    alive                           the instance's name on the connection before; "run"
 *           how many are alive, how many of them come before this one, whether it was alive; asked for:
 *           the run
 *   admit   alive, rate and sum a scope     the query, limits a scope (ledger_text.h); for each scope
 *                                           "" or what has changed of what is held
 *           which scope refused from 1 on and why, 0 and 0: none; the book of each scope afterwards
 *   tell    seq, rate and sum a scope       a number, the run; for each scope the change, and
 *                                           "<own name> <parts>": first its own, others if need be
 *           for each scope its book, and "<version> <born>;" with the parts changed after the
 *           version that is known
 *   look    alive, rate and sum a scope     (nothing)
 *           the book of each scope
 *   credit  paid, rate and sum              "<1 to add, -1 to withdraw> <dollars> <pico-dollars>",
 *                                           the name of its part
 *           whether it was new, the book, its part */
#ifndef SLUICE_STORE_LEDGER_SCRIPT_H
#define SLUICE_STORE_LEDGER_SCRIPT_H

extern const char ledger_script[];

enum { LEDGER_ALIVE_MS = 15000, LEDGER_BEAT_MS = 2000 };

#endif
