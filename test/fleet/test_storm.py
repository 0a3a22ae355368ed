"""Nothing fails while any endpoint is well: five providers, two of which break in every way there is,
again and again, under load."""
from __future__ import annotations

import asyncio
import os
import random
import time

import pytest

import bed as fleet
from faults import FAULTS, SLOWNESS
from load import Load, requests_of_all_kinds
from upstream import until

CLIENTS = int(os.environ.get("FLEET_CLIENTS", 80))
PHASE_S = 4.0  # longer than three attempts may take: two phases hold all that one request can meet


def seed() -> int:
    return int(os.environ.get("FLEET_SEED", random.randrange(1 << 30)))


class Director:
    """Who is ill, and of what: two for a phase, of something else twice a second."""

    def __init__(self, bed, gateways, redis, rng: random.Random):
        self.bed, self.gateways, self.redis, self.rng = bed, gateways, redis, rng
        self.left: list[str] = []  # so that everything has its turn
        self.played = 0

    def next_fault(self) -> str:
        if not self.left:
            self.left = self.rng.sample(FAULTS, len(FAULTS))
        self.played += 1
        return self.left.pop()

    async def phase(self, odds: int) -> None:
        ill = self.rng.sample(list(fleet.PROVIDERS), 2)
        for name in fleet.PROVIDERS:
            self.bed.set(name, f"odds {odds if name in ill else 100}")
            if name not in ill:
                self.bed.set(name, self.rng.choice(SLOWNESS))
        end = time.monotonic() + PHASE_S
        while time.monotonic() < end:
            for name in ill:
                self.bed.set(name, self.next_fault())
            await asyncio.sleep(self.rng.uniform(0.3, 0.8))

    async def freeze_store(self) -> None:
        """Redis takes calls and answers none: nobody may wait for it long."""
        self.redis.freeze()
        await asyncio.sleep(0.5)
        self.redis.thaw()

    def reload(self) -> None:
        """The same configuration but for the weights of scores: everything is made anew."""
        gw = self.rng.choice(self.gateways)
        gw.reload(gw.config | {"routing": {"weights": {"price": self.rng.randrange(20, 60)}}})


async def storm(director: Director, load: Load, phases: int) -> None:

    async def direct() -> None:
        for phase in range(phases):
            await director.phase(odds=100 if phase % 2 else 30)
            director.reload()
            await director.freeze_store()
        load.stop()

    async with asyncio.TaskGroup() as group:
        group.create_task(direct())
        group.create_task(load.run())
    director.bed.heal()


def open_files(gw) -> int:
    return len(os.listdir(f"/proc/{gw.process.pid}/fd"))


def is_quiet(gw) -> bool:
    """Every connection but ours is gone, and nothing is kept."""
    metrics = gw.metrics()
    return metrics["sluice_inflight_requests"] == 0 and metrics["sluice_active_streams"] == 0 and \
        sum(v for k, v in metrics.items() if k.startswith("sluice_stream_buffer_bytes")) == 0 and \
        sum(v for k, v in metrics.items() if k.startswith("sluice_upstream_connections")) == 0


def report(title: str, load: Load, bed, gateways) -> list[str]:
    results: dict[str, int] = {}
    for gw in gateways:
        for name, value in gw.metrics().items():
            if name.startswith("sluice_upstream_attempts_total") and value:
                word = name.partition('result="')[2].partition('"')[0]
                results[word] = results.get(word, 0) + int(value)
    stats = bed.proxy.stats()
    rows = [("requests", f"{load.asked}, of which failed {len(load.problems)}"),
            ("answered by attempt", ", ".join(f"{n}: {load.attempts[n]}" for n in sorted(load.attempts))),
            ("attempts", ", ".join(f"{word} {n}" for word, n in sorted(results.items()))),
            ("faults met", ", ".join(f"{k} {v}" for k, v in stats.items()
                                     if v and k not in ("connections", "open"))),
            ("seconds", f"p50 {load.percentile(0.5):.3f}, p99 {load.percentile(0.99):.3f}, "
                        f"longest {load.percentile(1):.3f}")]
    return [title] + [f"  {name:20} {value}" for name, value in rows]


def circuits(gw) -> list[str]:
    return [line for line in gw.log().splitlines() if '"circuit"' in line]


def problems_of(load: Load, gateways, used: int) -> str:
    """What failed, each with its record."""
    lines = [f"{len(load.problems)} failed (FLEET_SEED={used}):"]
    records = {r["request_id"]: r for gw in gateways for r in gw.records()}
    for problem in load.problems[:8]:
        lines += [problem, f"    {records.get(problem[1:33])}"]
    return "\n".join(lines)


@pytest.mark.parametrize("replicas", [1, 2])
def test_nothing_fails_while_any_endpoint_is_well(bed, redis, replicas, capsys):
    used = seed()
    rng = random.Random(used)
    store = {"store": {"url": f"redis://127.0.0.1:{redis.port}"}} if replicas > 1 else {}
    few = {"pool": {"max": 32, "idle_timeout": "2s"}} if replicas > 1 else {}
    gateways = [bed.gateway(few, **store) for _ in range(replicas)]
    ports = [gw.port for gw in gateways]
    make = requests_of_all_kinds(rng)

    warm_up = Load(ports, CLIENTS, make)
    asyncio.run(warm_up.run(600))
    assert not warm_up.problems, problems_of(warm_up, gateways, used)
    before = [(gw.rss_kb, open_files(gw)) for gw in gateways]
    load = Load(ports, CLIENTS, make)
    director = Director(bed, gateways, redis, rng)
    asyncio.run(storm(director, load, phases=3 if replicas == 1 else 2))

    fleet.show(capsys, *report(
        f"storm over {replicas} gateway(s), {director.played} faults, FLEET_SEED={used}", load, bed,
        gateways))
    assert not load.problems, problems_of(load, gateways, used)
    assert load.asked > 300
    for gw, (rss, files) in zip(gateways, before):
        until(lambda: is_quiet(gw), 10, "everything to be let go")
        assert open_files(gw) <= files
        assert gw.rss_kb - rss < 48 * 1024, (rss, gw.rss_kb)
        changes = circuits(gw)
        assert any('"state":"open"' in line for line in changes), "no circuit opened"
        outcomes = {r["outcome"] for r in gw.records()}
        assert outcomes <= {"ok", "client_gone"}, outcomes
