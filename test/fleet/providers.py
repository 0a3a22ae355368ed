"""The providers behind the fault proxy, in a process of their own: well-behaved ones of all protocols, in
clear and with TLS. Prints their ports, and ends with its standard input.

    python providers.py [CERTIFICATE KEY]
"""
from __future__ import annotations

import logging
import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))

import provider  # noqa: E402
from upstream import Upstream  # noqa: E402


class Forgetful(Upstream):
    """Keeps no record of what it answered: there will be tens of thousands."""

    def script_for(self, request):
        async def answer(x) -> None:
            try:
                await provider.behave(x)
            finally:
                request.body = request.raw_body = b""
                x.connection.requests.clear()
                self.requests.clear()
                self.exchanges.clear()
                self.connections.clear()
        return answer


def main() -> None:
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # peers that are gone are what this is about
    servers = [Forgetful().start()]
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        servers.append(Forgetful(tls=context).start())
    print(*(s.port for s in servers), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
