"""Prometheus's text format (0.0.4), read as strictly as the strictest of its readers does, and as
`promtool check metrics` would have it written."""
from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?|[+-]Inf|NaN")
UNITS = ("milliseconds", "microseconds", "minutes", "hours", "kilobytes", "kibibytes", "megabytes")


@dataclass
class Family:
    name: str
    kind: str
    help: str
    samples: dict = field(default_factory=dict)  # (name, labels without le, le) → value

    @property
    def labels(self) -> set[str]:
        return {name for _, labels, _ in self.samples for name, _ in labels}

    def values_of(self, label: str) -> set[str]:
        return {v for _, labels, _ in self.samples for n, v in labels if n == label}


def read_labels(text: str, line: str) -> tuple:
    out, at = [], 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, line
        out.append((found[1], found[2]))
        at = found.end()
        assert found[3] == "," and at < len(text) or found[3] == "" and at == len(text), line
    names = [n for n, _ in out]
    assert len(names) == len(set(names)), f"a label twice: {line}"
    return tuple(out)


def suffixes(kind: str) -> tuple[str, ...]:
    return ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)


def read_sample(line: str, family: Family) -> None:
    found = re.fullmatch(r"([^\s{]+)(?:\{(.*)\})? (\S+)", line)
    assert found and NAME.fullmatch(found[1]) and NUMBER.fullmatch(found[3]), line
    assert found[1] in [family.name + s for s in suffixes(family.kind)], \
        f"among the samples of {family.name}: {line}"
    labels = read_labels(found[2] or "", line)
    bound = dict(labels).get("le")
    assert (bound is not None) == found[1].endswith("_bucket"), line
    series = (found[1], tuple(sorted(l for l in labels if l[0] != "le")), bound)
    assert series not in family.samples, f"twice: {line}"
    family.samples[series] = float(found[3].replace("Inf", "inf"))


def check_histogram(family: Family) -> None:
    for labels in {labels for _, labels, _ in family.samples}:
        buckets = [(float(le.replace("Inf", "inf")), value)
                   for (_, of, le), value in family.samples.items() if of == labels and le]
        assert [b for b, _ in buckets] == sorted(b for b, _ in buckets), family.name
        counts = [value for _, value in buckets]
        assert counts == sorted(counts), f"{family.name}: buckets are cumulative"
        assert buckets[-1][0] == math.inf, family.name
        assert counts[-1] == family.samples[family.name + "_count", labels, None], family.name
        assert (family.name + "_sum", labels, None) in family.samples, family.name


def check_style(family: Family) -> None:
    """What promtool's linter complains about."""
    name = family.name
    assert family.help, f"{name} has no help"
    assert name == name.lower() and not name.endswith(UNITS), name
    assert name.endswith("_total") == (family.kind == "counter"), f"{name} is a {family.kind}"
    assert not name.endswith(("_count", "_sum", "_bucket")), name
    assert family.kind not in name.split("_"), name


def read(text: str) -> dict[str, Family]:
    families: dict[str, Family] = {}
    family = pending = None
    assert text.endswith("\n") and "\r" not in text
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            assert pending is None, line
            name, _, said = line[7:].partition(" ")
            assert NAME.fullmatch(name) and name not in families, f"twice: {line}"
            pending = (name, said)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert pending and pending[0] == name, f"HELP comes before TYPE, once each: {line}"
            assert kind in ("counter", "gauge", "histogram"), line
            family = families[name] = Family(name, kind, pending[1])
            pending = None
        else:
            assert family and not pending and not line.startswith("#"), line
            read_sample(line, family)
    for each in families.values():
        check_style(each)
        if each.kind == "histogram":
            check_histogram(each)
        if each.kind != "gauge":
            assert all(v >= 0 for v in each.samples.values()), each.name
    return families
