"""A port for a listener that another process will open."""

import itertools
import os
import socket

# Below the range the kernel takes ports of outgoing connections from (32768 on Linux): a port
# found free there may be a connection's own port by the time the gateway binds it. Each worker
# of a parallel run has a slice of its own, and hands a port out once.
FIRST, LAST, SLICE = 18000, 32000, 1000
worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0)
start = FIRST + (worker * SLICE) % (LAST - FIRST)
candidates = itertools.cycle(range(start, start + SLICE))


def free_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in itertools.islice(candidates, SLICE):
        with socket.socket(family) as s:
            # A server's own bind ignores connections in TIME_WAIT, and so does this one.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port from {start} to {start + SLICE - 1}")
