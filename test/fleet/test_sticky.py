"""Five hundred conversations keep their homes, over every store, and with two replicas on one Redis."""
from __future__ import annotations

import asyncio

import pytest

import bed as fleet
from load import Ask, Connection
from upstream import until

CONVERSATIONS = 500
CLIENTS = 25
STORES = ["memory", "sqlite", "redis"]


class Town:
    """Who lives where. A turn is one request of each conversation; replicas take turns, too."""

    def __init__(self, bed, gateways, store: str):
        self.bed, self.gateways, self.store = bed, gateways, store
        self.homes: dict[int, str] = {}
        self.problems: list[str] = []
        self.turns = 0

    async def _ask_some(self, numbers, port: int, hits: list[int]) -> None:
        connection = Connection(port)
        for number in numbers:
            answer = await connection.ask(Ask(members={"session_id": f"conversation {number}"}))
            if answer.status != 200:
                self.problems.append(f"{number}: {answer.problem()}")
            elif self.homes.get(number) == answer.provider:
                hits.append(number)
            self.homes[number] = answer.provider
        connection.close()

    def turn(self, conversations: int = CONVERSATIONS) -> float:
        """The share that was answered where it was before."""
        self.turns += 1
        hits: list[int] = []

        async def all_of_them() -> None:
            await asyncio.gather(*(
                self._ask_some(range(i, conversations, CLIENTS),
                               self.gateways[(i + self.turns) % len(self.gateways)].port, hits)
                for i in range(CLIENTS)))

        asyncio.run(all_of_them())
        assert not self.problems, self.problems[:3]
        return len(hits) / conversations


@pytest.fixture
def town(bed, redis, request, tmp_path):
    kind = request.param
    url = {"memory": "memory:", "sqlite": f"sqlite://{tmp_path}/store.db",
           "redis": f"redis://127.0.0.1:{redis.port}"}[kind]
    gateways = [bed.gateway(is_plain=True, store={"url": url})
                for _ in range(2 if kind == "redis" else 1)]
    for name in fleet.PROVIDERS:
        bed.set(name, "say good")
    for gw in gateways:
        gw.connected()
    return Town(bed, gateways, kind)


@pytest.mark.parametrize("town", STORES, indirect=True)
def test_conversations_stay_move_when_their_home_fails_and_stay_again(town, capsys):
    town.turn()
    assert len(set(town.homes.values())) == len(fleet.PROVIDERS), "some home has nobody"
    rates = [town.turn() for _ in range(2)]

    ill = "gamma"
    had_to_move = [n for n, home in town.homes.items() if home == ill]
    town.bed.set(ill, "say 500")
    town.turn()
    assert not [n for n, home in town.homes.items() if home == ill]
    moved_to = {n: town.homes[n] for n in had_to_move}
    town.bed.set(ill, "say good")
    after = [town.turn() for _ in range(2)]
    stayed = [n for n in had_to_move if town.homes[n] == moved_to[n]]

    fleet.show(capsys, f"{town.store}: hit rates " + ", ".join(f"{r:.1%}" for r in rates) +
               f"; {len(had_to_move)} moved; then " + ", ".join(f"{r:.1%}" for r in after))
    assert min(rates + after) >= 0.99
    assert len(stayed) >= 0.99 * len(had_to_move)


@pytest.mark.parametrize("town", ["redis"], indirect=True)
def test_redis_that_forgot_everything_costs_one_turn(town, redis, capsys):
    town.turn()
    before = town.turn()
    redis.kill()
    away = town.turn()  # every request is answered all the same
    redis.start()
    for gw in town.gateways:
        until(lambda: "store back" in gw.log(), 10, "Redis to be found again")
    town.turn()
    after = [town.turn() for _ in range(2)]
    fleet.show(capsys, f"hit rate {before:.1%}, without Redis {away:.1%}, with it again "
               + ", ".join(f"{r:.1%}" for r in after))
    assert min([before] + after) >= 0.99
