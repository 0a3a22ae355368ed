"""What the fault proxy can do, sorted by what it means to a request. The words are fault_proxy.c's."""

# Nothing comes, and nobody says so: only a deadline helps.
SILENCE = ["vanish", "asleep", "silent", "stall 0", "stall 60", "stall -1"]
# Everything else that can go wrong before the first word of an answer is there. Over TLS these are the
# same bytes in the wrong place: a handshake that stalls, breaks off, or is none.
FAILURES = ["refuse", "reset 0", "reset 60", "reset -1", "close 0", "close 60", "close -1", "garble -1",
            "say garbage", "say half-head", "say too-short", "say too-long", "say 401", "say 404",
            "say 429", "say 429 early", "say 500", "say 500 early", "say 502", "say 503",
            "say 503 early", "say 529", "say error", "say page", "say nothing", "say no-events",
            "say error-event"]
FAULTS = SILENCE + FAILURES
# Late, and no worse.
SLOWNESS = ["pass", "pass", "delay 20 60", "delay 200 200", "drip 60000", "crumbs"]
# In the middle of an answer, after so many bytes: each stream has brought some of its text by the first.
BREAKS = [f"{way} {size}" for way in ("reset", "close", "stall", "garble") for size in (150, 400, 900, 3000, 9000)]
