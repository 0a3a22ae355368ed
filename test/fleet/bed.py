"""Five providers of one model behind a fault proxy, and gateways that ask them.

    load.py ══▶ sluice (one, or two on one Redis) ══▶ fault_proxy ══▶ providers.py

Every process is real and every byte goes over a socket. Nothing here needs privileges: what netem or a
network namespace would do, the proxy does.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import ROOT, Gateway, binary

HERE = Path(__file__).resolve().parent
# Circuits are a model's at an endpoint: many models meet many faults before all of them are open.
MODELS = [f"model-{n}" for n in range(16)]
# Each speaks a protocol of its own, so that every client's requests pass here and are translated there;
# echo is reached over TLS.
PROVIDERS = {"alpha": "openai", "beta": "anthropic", "gamma": "responses", "delta": "gemini",
             "echo": "openai"}
OVER_TLS = "echo"
PRICES = {"alpha": "2.00", "beta": "3.00", "gamma": "1.00", "delta": "1.50", "echo": "2.50"}
TIMEOUTS = {"connect": "1s", "first_byte": "1200ms", "idle": "1200ms", "total": "15s"}
KEY = "sk-fleet-0123456789abcdef0123456789"


class FaultProxy:
    def __init__(self, targets: list[str]):
        program = os.environ.get("FAULT_PROXY") or binary().parents[1] / "test/fleet/fault_proxy"
        if not Path(program).is_file():
            pytest.skip(f"{program} was not built: ninja -C build/test test/fleet/fault_proxy")
        self.process = subprocess.Popen([str(program), *targets], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        word, *ports = self.process.stdout.readline().split()
        assert word == "listening" and len(ports) == len(targets)
        self.ports = [int(p) for p in ports]

    def tell(self, words: str) -> str:
        self.process.stdin.write(words + "\n")
        return self.process.stdout.readline().strip()

    def set(self, index: int, fault: str) -> None:
        assert self.tell(f"{index} {fault}") == "ok", fault

    def stats(self) -> dict[str, int]:
        return json.loads(self.tell("stats"))

    def stop(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(10) == 0


class Providers:
    def __init__(self, pair):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "providers.py"), str(pair.cert), str(pair.key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.clear, self.tls = map(int, self.process.stdout.readline().split())

    def stop(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(10) == 0


class Bed:
    def __init__(self, directory: Path, authority):
        self.directory = directory
        self.authority = authority
        self.providers = Providers(authority.issue("fleet"))
        self.proxy = FaultProxy([
            f"127.0.0.1:{self.providers.tls if name == OVER_TLS else self.providers.clear}"
            for name in PROVIDERS])
        self.gateways: list[Gateway] = []

    def index(self, name: str) -> int:
        return list(PROVIDERS).index(name)

    def set(self, name: str, fault: str) -> None:
        self.proxy.set(self.index(name), fault)

    def heal(self) -> None:
        for name in PROVIDERS:
            self.set(name, "pass")
            self.set(name, "odds 100")

    def configuration(self, port: int, is_plain: bool, provider: dict, over: dict) -> dict:
        def one(name: str) -> dict:
            is_tls = name == OVER_TLS and not is_plain
            return {"protocol": "openai" if is_plain else PROVIDERS[name], "api_key": "sk-up",
                    "base_url": f"{'https' if is_tls else 'http'}://127.0.0.1:"
                                f"{self.proxy.ports[self.index(name)]}/v1",
                    "tls": {"ca": str(self.authority.file)} if is_tls else {},
                    "timeouts": TIMEOUTS, "pool": {"idle_timeout": "2s"}} | provider

        return {
            "version": 1,
            "listeners": [{"name": "api", "address": f"127.0.0.1:{port}",
                           "serves": ["api", "health", "metrics"]}],
            "keys": [{"name": "fleet", "secret": KEY, "models": ["*"]}],
            "store": {"url": "memory:"},
            "observability": {"access_log": "stdout", "log": {"level": "info", "format": "json"}},
            "providers": {name: one(name) for name in PROVIDERS},
            "models": {model: {"endpoints": [
                {"provider": name, "upstream_model": f"{name}-{model}",
                 "price": {"input": price, "output": price}} for name, price in PRICES.items()]}
                for model in MODELS},
        } | over

    def gateway(self, provider: dict | None = None, is_plain: bool = False, **over) -> Gateway:
        """`provider`: what all five have besides; `over`: top-level members of the configuration. Plain:
        all speak Chat in clear, which the proxy's own answers are in."""
        gw = Gateway(self.directory / f"gateway-{len(self.gateways)}", config={},
                     env={"ASAN_OPTIONS": asan_options()})
        gw.config = self.configuration(gw.port, is_plain, provider or {}, over)
        self.gateways.append(gw)
        return gw.start()

    def stop(self) -> None:
        """Gateways are stopped first, and looked over: exit code, sanitizers."""
        try:
            for gw in self.gateways:
                gw.stop()
        finally:
            for gw in self.gateways:
                gw.kill()
            self.proxy.stop()
            self.providers.stop()


def show(capsys, *lines: str) -> None:
    """What a run has seen, past pytest: scripts/test shows lines that begin so."""
    with capsys.disabled():
        print("", *(f"| {line}" for line in lines), sep="\n")


def asan_options() -> str:
    """Freed memory is kept for a while to catch its use: less of it, or memory would only ever grow."""
    given = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    return given + ":quarantine_size_mb=16"


@pytest.fixture
def make_bed(tmp_path, authority):
    made: list[Bed] = []

    def make() -> Bed:
        made.append(Bed(tmp_path, authority))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def bed(make_bed):
    return make_bed()
