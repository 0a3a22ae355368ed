"""Two gateways on one Redis and a thousand clients: no limit is passed, and every token is billed once, whatever
is killed meanwhile. The provider keeps books of its own (counting_provider.py)."""
from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

import bed as fleet
import raw
from gateway import Gateway
from load import Ask, Load

HERE = Path(__file__).resolve().parent
CLIENTS = int(os.environ.get("LEDGER_CLIENTS", 1000))
PICO = 10 ** 12
INPUT, CACHED, OUTPUT = 2_000_000, 500_000, 8_000_000  # pico-dollars a token
PRICE = {"input": "2.00", "cache_read": "0.50", "output": "8.00"}
KEYS = {name: f"sk-{name}-0123456789abcdef0123456789" for name in ("plain", "rpm", "tpm", "slots", "purse")}
RPM, TPM, SLOTS, PURSE_USD = 600, 60_000, 20, "0.25"
ADMIN = "sk-admin-0123456789abcdef0123456789"


class Provider:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, str(HERE / "counting_provider.py")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = int(self.process.stdout.readline())

    def tell(self, words: str) -> dict:
        self.process.stdin.write(words + "\n")
        return json.loads(self.process.stdout.readline())

    def totals(self) -> dict:
        return self.tell("totals")

    def stop(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def charged(books: dict) -> int:
    """What the provider's books are worth, in pico-dollars."""
    return ((books["prompt"] - books["cached"]) * INPUT + books["cached"] * CACHED +
            books["completion"] * OUTPUT)


class House:
    def __init__(self, directory: Path, redis):
        self.redis, self.provider = redis, Provider()
        self.gateways: list[Gateway] = []
        for n in range(2):
            gw = Gateway(directory / f"gateway-{n}", config={}, env={"ASAN_OPTIONS": fleet.asan_options()})
            gw.config = self.configuration(gw.port)
            self.gateways.append(gw.start())
        for gw in self.gateways:
            gw.connected()

    def configuration(self, port: int) -> dict:
        limits = {"rpm": {"rpm": RPM}, "tpm": {"tpm": TPM}, "slots": {"concurrency": SLOTS}}
        budgets = {"purse": {"usd": PURSE_USD, "period": "total"}}
        return {
            "version": 1,
            "listeners": [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health", "metrics"]}],
            "account": {"prepaid": True},
            "keys": [{"name": name, "secret": secret} | ({"limits": limits[name]} if name in limits else {}) |
                     ({"budget": budgets[name]} if name in budgets else {}) for name, secret in KEYS.items()] +
                    [{"name": "boss", "secret": ADMIN, "scope": "admin"}],
            "store": {"url": f"redis://127.0.0.1:{self.redis.port}", "timeout": "1s"},
            "observability": {"access_log": "off", "log": {"level": "info", "format": "json"}},
            "providers": {"books": {"protocol": "openai", "api_key": "sk-up",
                                    "base_url": f"http://127.0.0.1:{self.provider.port}/v1"}},
            "models": {fleet.MODELS[0]: {"provider": "books", "upstream_model": "m", "price": PRICE}},
        }

    def credit(self, usd: str) -> None:
        gw = self.gateways[0]
        done = gw.ask(raw.request_bytes("POST", "/v1/account/credit", json.dumps({"amount_usd": usd}).encode(),
                                        (), ADMIN))
        assert done.status == 200, done

    def spent(self, gw: Gateway | None = None) -> int:
        """By the account's balance: what was credited less what is left."""
        answer = (gw or self.gateways[-1]).get("/v1/balance", key=KEYS["plain"])
        assert answer.status == 200, answer
        left = json.loads(answer.body, parse_float=Decimal, parse_int=Decimal)["credit_balance"]
        return int((self.credited - left) * PICO)

    def stop(self) -> None:
        try:
            for gw in self.gateways:
                gw.stop()
        finally:
            for gw in self.gateways:
                gw.kill()
            self.provider.stop()


@pytest.fixture
def house(tmp_path, redis):
    made = House(tmp_path, redis)
    made.credited = Decimal(1000)
    made.credit("1000")
    yield made
    made.stop()


def asks(key: str, tokens_in=(20, 400), tokens_out=(1, 200), stream: float = 0.5):
    """make() for Load. The provider charges no more than what it was sent and was asked for: four bytes of
    text a token, as prose has it, and `max_tokens`."""
    rng = random.Random(7)

    def make(number: int) -> Ask:
        prompt, completion = rng.randint(*tokens_in), rng.randint(*tokens_out)
        return Ask(stream=rng.random() < stream, key=KEYS[key],
                   text=f"#{number} in={prompt} out={completion} cached={rng.randint(0, prompt // 2)} " +
                        "and " * prompt,
                   members={"max_tokens": completion})
    return make


class Told(Counter):
    """Statuses, for Load: what is refused is no problem here, anything else that is wrong is."""

    def __call__(self, answer) -> str | None:
        self[answer.status] += 1
        if answer.status in (402, 429):
            return None if json.loads(answer.body)["error"]["type"] else "no type"
        if answer.status != 200 or answer.cut:
            return f"status {answer.status} {answer.cut}: {answer.body[:300]!r}"
        return None


def run_for(house: House, seconds: float, make, ports=None, clients: int = CLIENTS) -> Told:
    told = Told()
    load = Load(ports or [gw.port for gw in house.gateways], clients, make, told)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await asyncio.sleep(seconds)
            load.stop()

    asyncio.run(both())
    assert not load.problems, load.problems[:3]
    return told


def in_one_minute(seconds: float) -> None:
    """A window that slides lets more through in the next minute: the run shall lie in one."""
    left = 60 - time.time() % 60
    if left < seconds + 2:
        time.sleep(left + 0.1)


def test_requests_a_minute_are_the_fleets(house, capsys):
    in_one_minute(15)
    told = run_for(house, 5, asks("rpm"))
    fleet.show(capsys, f"{told[200]} of {sum(told.values())} allowed, limit {RPM}")
    assert told[200] == RPM and told[429] > RPM


def test_tokens_a_minute_are_the_fleets(house, capsys):
    in_one_minute(15)
    told = run_for(house, 5, asks("tpm"))
    books = house.provider.totals()
    used = books["prompt"] + books["completion"]
    fleet.show(capsys, f"{used:,} tokens in {told[200]} answers, {told[429]} refused, limit {TPM:,}")
    assert 0.9 * TPM <= used <= TPM


def test_no_more_at_once_than_the_key_may(house, capsys):
    house.provider.tell("hold 50")
    told = run_for(house, 5, asks("slots"))
    books = house.provider.totals()
    fleet.show(capsys, f"at most {books['most']} at once, {told[200]} answers, {told[429]} refused, limit {SLOTS}")
    assert SLOTS - 2 <= books["most"] <= SLOTS


def test_a_budget_is_never_exceeded(house, capsys):
    told = run_for(house, 6, asks("purse"))
    budget, used = int(Decimal(PURSE_USD) * PICO), charged(house.provider.totals())
    fleet.show(capsys, f"${used / PICO:.6f} of ${PURSE_USD} in {told[200]} answers, {told[402]} refused")
    assert 0.95 * budget <= used <= budget
    assert told[402] > 0


def settled(house: House) -> int:
    """What the fleet's ledger says, once everything is in it."""
    wanted = charged(house.provider.totals())
    deadline = time.monotonic() + 15
    while (spent := house.spent()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return spent


def test_the_ledger_is_the_providers_to_the_token(house, capsys):
    told = run_for(house, 8, asks("plain"))
    books = house.provider.totals()
    spent = settled(house)
    fleet.show(capsys, f"{books['answered']:,} answers, {books['prompt']:,} + {books['completion']:,} tokens, "
               f"${spent / PICO} billed")
    assert told[200] == books["answered"] > CLIENTS
    assert spent == charged(books)


def test_redis_dies_and_comes_back_empty_and_nothing_is_lost_or_billed_twice(house, capsys):
    told = Told()
    load = Load([gw.port for gw in house.gateways], CLIENTS // 2, asks("plain"), told)

    async def trouble() -> None:
        for seconds in (1.5, 1.0, 0.3, 0.05, 1.5, 0.1):  # some before everybody is back
            await asyncio.sleep(seconds)
            house.redis.kill()
            await asyncio.sleep(seconds / 2)
            house.redis.start()  # nothing was saved
        await asyncio.sleep(1.5)
        load.stop()

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(trouble())

    asyncio.run(both())
    assert not load.problems, load.problems[:3]
    spent, books = settled(house), house.provider.totals()
    fleet.show(capsys, f"six times without Redis: {books['answered']:,} answers, ${spent / PICO} billed")
    assert spent == charged(books)
    assert house.spent(house.gateways[0]) == spent


def test_a_gateway_that_is_killed_takes_no_slot_and_no_answer_with_it(house, capsys):
    """What others answered is billed to the token; of what it was answering itself only the client knows."""
    house.provider.tell("hold 50")
    first, last = house.gateways
    told, lost = Told(), Told()
    stays = Load([last.port], 200, asks("plain"), told)
    dies = Load([first.port], 200, asks("slots"), lambda answer: lost(answer) and None)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stays.run())
            group.create_task(dies.run())
            await asyncio.sleep(3)
            before = house.provider.totals()
            first.kill()
            dies.stop()
            await asyncio.sleep(3)
            stays.stop()
            return before

    asyncio.run(both())
    assert not stays.problems, stays.problems[:3]
    books = house.provider.totals()
    time.sleep(1)
    spent = house.spent(last)
    most = SLOTS * (400 * INPUT + 200 * OUTPUT)  # all it may have had under way
    fleet.show(capsys, f"{books['answered']:,} answers, ${spent / PICO} of ${charged(books) / PICO} billed")
    assert charged(books) - most <= spent <= charged(books)
    deadline = time.monotonic() + 40  # its slots come back
    while time.monotonic() < deadline:
        again = run_for(house, 0.5, asks("slots"), ports=[last.port], clients=SLOTS)
        if again[429] == 0:
            break
        time.sleep(1)
    assert again[429] == 0 and again[200] >= SLOTS
    again = run_for(house, 2, asks("slots"), ports=[last.port], clients=SLOTS)  # each place, used anew at once
    assert again[429] == 0 and again[200] >= 10 * SLOTS
    house.gateways.remove(first)
