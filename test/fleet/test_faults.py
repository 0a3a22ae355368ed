"""Each fault by itself: the next endpoint answers, whatever the request's size, on a connection that was
used before or a new one; and what breaks in the middle ends in its client's own words."""
from __future__ import annotations

import asyncio
import random

import pytest

import bed as fleet
from faults import BREAKS, FAILURES, SILENCE
from load import PATHS, Ask, Connection, Load, Unfinished
from upstream import until


async def meet(bed, port: int, name: str, fault: str, ask: Ask) -> tuple[str, str | None]:
    """One request that has to go to this provider first, where a connection is open since the last."""
    ask.members = {"provider": {"order": [name]}}
    connection = Connection(port)
    try:
        bed.set(name, "pass")
        before = await connection.ask(Ask(model=ask.model, text="before", members=ask.members))
        if before.problem() or before.provider != name:
            return f"before {fault}", f"{before.provider}: {before.problem()}"
        bed.set(name, fault)
        answer = await connection.ask(ask)
        problem = answer.problem()
        if problem is None and answer.provider == name and name != fleet.OVER_TLS:
            problem = f"{name} answered all the same"
        return f"{fault} at {name}: {ask}", problem
    finally:
        bed.set(name, "pass")
        connection.close()


@pytest.mark.parametrize("padding", [0, 6_000_000], ids=["small", "larger than any socket takes"])
def test_each_fault_hands_over_to_the_next(bed, padding):
    gw = bed.gateway()
    rng = random.Random(padding)
    faults = SILENCE + rng.sample(FAILURES, len(FAILURES))

    async def all_of_them() -> list:
        met = []
        at_once = 3  # which leaves two that are well
        for number in range(0, len(faults), at_once):
            ill = rng.sample(list(fleet.PROVIDERS), at_once)
            asks = [Ask(rng.choice(list(PATHS)), rng.random() < 0.5, f"word {n} of {fault}", padding,
                        model=fleet.MODELS[number // at_once])  # no circuit sees five failures
                    for n, fault in enumerate(faults[number:number + at_once])]
            met += await asyncio.gather(*(
                meet(bed, gw.port, name, fault, ask)
                for name, fault, ask in zip(ill, faults[number:], asks)))
        return met

    met = asyncio.run(all_of_them())
    assert len(met) == len(faults)
    assert not [m for m in met if m[1] is not None]


def test_what_breaks_in_the_middle_ends_in_its_clients_words(bed, capsys):
    """Whole answers come from the next endpoint. Streams that had brought text end with an error in their
    grammar, and the text is what was said until then."""
    gw = bed.gateway()
    rng = random.Random(7)
    broken = []

    def make(number: int) -> Ask:
        text = f"#{number} " + " ".join(rng.choices(["fog", "lamp", "霧"], k=120))
        return Ask(rng.choice(list(PATHS)), rng.random() < 0.6, text, model=rng.choice(fleet.MODELS))

    def judge(answer) -> str | None:
        try:
            answer.text()
        except Unfinished as end:
            if not answer.ask.stream or answer.status != 200 or answer.cut:
                return answer.problem()
            broken.append(answer.ask.api)
            if end.error is None or not end.error.get("message"):
                return f"no error in the end: {answer.body[-300:]!r}"
            is_part = end.text and answer.ask.wanted.startswith(end.text)
            return None if is_part else f"text that nobody said: {end.text!r}"
        except (ValueError, KeyError, IndexError):
            pass
        return answer.problem()

    load = Load([gw.port], 20, make, judge)

    async def direct() -> None:
        for _ in range(10):
            ill = rng.sample(list(fleet.PROVIDERS), 2)
            for name in fleet.PROVIDERS:
                bed.set(name, rng.choice(BREAKS) if name in ill else "pass")
                bed.set(name, "odds 40")
            await asyncio.sleep(0.5)
        load.stop()

    async def both() -> None:
        await asyncio.gather(direct(), load.run())

    asyncio.run(both())
    fleet.show(capsys, f"breaks in the middle: {load.asked} requests, {len(broken)} streams ended with an "
                       f"error in their words, {len(load.problems)} otherwise")
    assert not load.problems, "\n".join(load.problems[:8])
    assert set(broken) == set(PATHS), broken


def test_connections_that_died_meanwhile_cost_nobody_an_attempt(bed):
    """Each kept connection is dead when it is used again, which shows when a part of the request is on its
    way: nobody has read it, so the same endpoint is asked again."""
    gw = bed.gateway()
    for name in fleet.PROVIDERS:
        bed.set(name, "stale" if name != fleet.OVER_TLS else "pass")
    rng = random.Random(11)

    def make(number: int) -> Ask:
        padding = 6_000_000 if number % 50 == 0 else 0
        return Ask(rng.choice(list(PATHS)), rng.random() < 0.5, f"#{number} word", padding,
                   model=rng.choice(fleet.MODELS))

    def judge(answer) -> str | None:
        if answer.attempts > 1:
            return f"{answer.attempts} attempts"
        return answer.problem()

    load = Load([gw.port], 10, make, judge)
    asyncio.run(load.run(500))
    assert not load.problems, "\n".join(load.problems[:8])
    assert bed.proxy.stats()["stale"] > 600, "no connection was used again"


def test_hundred_requests_do_not_wait_for_a_black_hole(bed):
    """Its connections are all taken by requests that nobody reads: those that wait for one go elsewhere in
    time, and so do those that have one."""
    gw = bed.gateway(provider={"pool": {"max": 10, "idle_timeout": "2s"}})
    bed.set("alpha", "asleep")
    members = {"provider": {"order": ["alpha"]}}

    async def all_at_once() -> list:
        return await asyncio.gather(*(
            Connection(gw.port).ask(Ask(text=f"#{n}", members=members)) for n in range(100)))

    answers = asyncio.run(all_at_once())
    assert not [a.problem() for a in answers if a.problem()]
    assert max(a.seconds for a in answers) < 6
    assert {a.provider for a in answers} <= set(fleet.PROVIDERS) - {"alpha"}
    # by now its circuit is open, and nobody waits any more
    later = asyncio.run(Connection(gw.port).ask(Ask(members=members)))
    assert later.problem() is None and later.attempts == 1 and later.seconds < 1
    bed.set("alpha", "pass")
    until(lambda: gw.metric("sluice_upstream_connections", endpoint="alpha") == 0, 10, "the hole's end")


def test_silence_is_found_out_by_clients_that_do_not_wait(bed):
    """Deadlines are minutes, clients leave after seconds: those that come later are not sent there."""
    gw = bed.gateway(provider={"timeouts": {"first_byte": "5m"}})
    members = {"provider": {"order": ["alpha"]}}

    async def ask(patience_s: float, text: str) -> tuple[str, int]:
        connection = Connection(gw.port)
        try:
            async with asyncio.timeout(patience_s):
                answer = await connection.ask(Ask(text=text, members=members))
            assert answer.problem() is None
            return answer.provider, answer.attempts
        except TimeoutError:
            return "left", 0
        finally:
            connection.close()

    async def ask_all(n: int, patience_s: float) -> set:
        return set(await asyncio.gather(*(ask(patience_s, f"#{i}") for i in range(n))))

    assert asyncio.run(ask_all(20, 10)) == {("alpha", 1)}
    bed.set("alpha", "silent")
    assert asyncio.run(ask_all(6, 0.5)) == {("left", 0)}  # in a hurry: that says nothing
    assert asyncio.run(ask_all(1, 1)) == {("left", 0)}
    assert asyncio.run(ask_all(6, 2.5)) == {("left", 0)}
    until(lambda: '"state":"open"' in gw.log(), what="its circuit to open")
    (who, attempts), = asyncio.run(ask_all(1, 5))
    assert who != "alpha" and attempts == 1
    bed.set("alpha", "pass")


def test_circuit_that_opened_closes_again(bed):
    gw = bed.gateway()
    bed.set("alpha", "say 500")

    def ask(**provider) -> tuple:
        answer = asyncio.run(Connection(gw.port).ask(Ask(members={"provider": provider})))
        return answer.status, answer.provider, answer.attempts

    for _ in range(5):
        status, who, attempts = ask(order=["alpha"])
        assert status == 200 and who != "alpha" and attempts == 2
    assert ask(order=["alpha"])[2] == 1
    bed.set("alpha", "pass")
    assert ask(only=["alpha"]) == (200, "alpha", 1)  # nobody else is left: it is asked, and answers
    assert ask(order=["alpha"]) == (200, "alpha", 1)
    states = [line.partition('"state":"')[2].partition('"')[0]
              for line in gw.log().splitlines() if '"msg":"circuit"' in line]
    assert states == ["open", "closed"]
