"""Load goes where docs/routing.md says: to each endpoint in proportion to the square of its score, which is
worked out here from what that page says, not from the code. test/unit/plan_test.c counts plans by all
four factors; this counts answers."""
from __future__ import annotations

import asyncio
from collections import Counter

import bed as fleet
from load import Ask, Load

REQUESTS = 20_000  # a share's standard deviation is then a third of a per cent at most


def shares(weights: dict[str, float]) -> dict[str, float]:
    """All cost and succeed; nothing else weighs."""
    prices = {name: float(price) for name, price in fleet.PRICES.items()}
    cheapest = min(prices.values())
    scores = {name: weights["price"] * cheapest / price + weights["reliability"] * 1
              for name, price in prices.items()}
    total = sum(score ** 2 for score in scores.values())
    return {name: score ** 2 / total for name, score in scores.items()}


def test_first_picks_are_within_two_per_cent_of_their_weights(bed, capsys):
    weights = {"price": 40, "throughput": 0, "latency": 0, "reliability": 20}
    gw = bed.gateway(is_plain=True, routing={"weights": weights})
    for name in fleet.PROVIDERS:
        bed.set(name, "say good")
    asked: Counter = Counter()

    def judge(answer) -> str | None:
        asked[answer.provider] += answer.attempts == 1
        return None if answer.status == 200 else answer.problem()

    load = Load([gw.port], 16, lambda n: Ask(text=f"#{n}"), judge)
    asyncio.run(load.run(REQUESTS))
    assert not load.problems, load.problems[:3]
    total = sum(asked.values())
    assert total >= REQUESTS
    rows = {name: (asked[name] / total, share) for name, share in shares(weights).items()}
    fleet.show(capsys, "first picks: " + ", ".join(
        f"{name} {got:.1%} (wanted {want:.1%})" for name, (got, want) in rows.items()))
    for name, (got, want) in rows.items():
        assert abs(got - want) <= 0.02, (name, got, want)
