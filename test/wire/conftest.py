"""Makes the test bed importable and hands its fixtures to pytest."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fixtures import authority, client, gateway, redis, start, store, upstream  # noqa: E402,F401


def pytest_configure(config):
    config.addinivalue_line("markers", "pairwise: of the product of its parameters only as much is run as it "
                                       "takes for every two values to meet")


def pairs_of(item) -> set:
    values = [f"{name}={value!r}" for name, value in sorted(item.callspec.params.items())]
    return {(a, b) for n, a in enumerate(values) for b in values[n + 1:]}


def enough_for_all_pairs(items: list) -> list:
    """Greedily: whichever brings the most pairs that have not met."""
    left, chosen, met = {item: pairs_of(item) for item in items}, [], set()
    while left:
        best = max(left, key=lambda item: len(left[item] - met))
        if left[best] <= met:
            break
        met |= left.pop(best)
        chosen.append(best)
    return chosen


def pytest_collection_modifyitems(config, items):
    """A fault is as a rule of one value, or of two that meet: the third of them is no reason for a gateway more."""
    products: dict[str, list] = {}
    for item in items:
        if item.get_closest_marker("pairwise") is not None:
            products.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = {item for product in products.values()
                for item in set(product) - set(enough_for_all_pairs(product))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
