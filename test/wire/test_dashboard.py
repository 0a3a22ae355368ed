"""The dashboard and the alerts ask for what there is: every metric, label and word of theirs is on the
/metrics of a running gateway, or in the tables that tests hold against the code."""
from __future__ import annotations

import json
import re

import pytest
import yaml

import exposition
import misbehaviour
from gateway import ROOT
from upstream import until

DASHBOARD = json.loads((ROOT / "examples/grafana/dashboard.json").read_text())
ALERTS = yaml.safe_load((ROOT / "examples/prometheus/alerts.yml").read_text())
PANELS = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
OF_PROMETHEUS = {"instance", "job"}  # labels that a scrape adds
NAME = r"(?:sluice|gen_ai|process)_\w+"
WORDS = (ROOT / "docs/operations.md").read_text()


def expressions() -> list[tuple[str, str]]:
    """(where, PromQL), the queries of variables included."""
    found = [(p["title"], t["expr"]) for p in PANELS for t in p["targets"]]
    found += [(a["name"], a["expr"]) for a in DASHBOARD["annotations"]["list"]]
    found += [(v["name"], v["definition"]) for v in DASHBOARD["templating"]["list"]
              if v["type"] == "query"]
    return found + [(r["alert"], r["expr"]) for r in RULES]


EXPRESSIONS = expressions()


@pytest.fixture(scope="module")
def families(gateway, upstream):
    """Of a gateway that has seen a little of everything."""
    gateway.chat("good")
    gateway.chat(upstream.play(misbehaviour.status(500)))
    with gateway.client() as client:
        client.stream("good").rest()

    def read():
        found = exposition.read(gateway.get("/metrics", key=None).body.decode())
        return found if found["sluice_time_to_first_token_seconds"].samples else None
    return until(read, what="the metrics of a stream")


def family_of(name: str, families: dict):
    """A family and which of its samples it is: histograms are asked by their parts."""
    for suffix in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(suffix)
        if base != name and base in families and families[base].kind == "histogram":
            return families[base], suffix
    assert name in families, f"there is no metric {name}"
    assert families[name].kind != "histogram", f"{name} has samples with suffixes only"
    return families[name], ""


def labels_of(name: str, families: dict) -> set[str]:
    family, suffix = family_of(name, families)
    return family.labels | ({"le"} if suffix == "_bucket" else set())


def test_there_is_something_to_look_at():
    assert len(PANELS) > 30 and len(RULES) > 10 and len(EXPRESSIONS) > 50


@pytest.mark.parametrize("where,expr", EXPRESSIONS, ids=[w for w, _ in EXPRESSIONS])
def test_every_metric_and_label_exists(families, where, expr):
    selectors = re.findall(rf"\b({NAME})(?:\{{(.*?)\}})?", expr)
    assert selectors or "up{" in expr, expr
    known = set(OF_PROMETHEUS)
    for name, matchers in selectors:
        known |= labels_of(name, families)
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            assert label in labels_of(name, families) | OF_PROMETHEUS, f"{name} has no {label}"
            for word in value.split("|") if label not in OF_PROMETHEUS else ():
                assert word.startswith("$") or f"`{word}`" in WORDS or f'"{word}"' in WORDS, word
    for group in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expr):
        assert {g.strip() for g in group.split(",")} <= known, group


@pytest.mark.parametrize("where,expr", EXPRESSIONS, ids=[w for w, _ in EXPRESSIONS])
def test_counters_are_rated_and_quantiles_are_of_buckets(families, where, expr):
    for name, _ in re.findall(rf"\b({NAME})(\{{.*?\}})?", expr):
        family, suffix = family_of(name, families)
        is_counter = family.kind == "counter" or suffix
        rated = re.search(rf"\b(?:rate|increase)\({name}(?:\{{.*?\}})?\[", expr)
        assert bool(rated) == bool(is_counter) or expr.startswith("label_values("), expr
    if "histogram_quantile" in expr:
        assert "_bucket" in expr and re.search(r"by \(le[,)]", expr), expr
    assert expr.count("(") == expr.count(")") and expr.count("{") == expr.count("}")


def test_legends_name_labels_that_their_expressions_keep():
    for panel in PANELS:
        for target in panel["targets"]:
            kept = {g.strip() for group in re.findall(r"\bby \(([^)]*)\)", target["expr"])
                    for g in group.split(",")} | OF_PROMETHEUS
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, target


def test_the_dashboard_can_be_imported_anywhere():
    text = json.dumps(DASHBOARD)
    assert DASHBOARD["schemaVersion"] >= 41 and DASHBOARD["uid"] == "sluice"
    assert {t["datasource"]["uid"] for p in PANELS for t in p["targets"]} == {"${datasource}"}
    assert "__inputs" not in text and "localhost" not in text
    ids = [p["id"] for p in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [(x, y) for p in DASHBOARD["panels"] for g in [p["gridPos"]]
             for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]
    assert len(cells) == len(set(cells)), "panels lie on each other"
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_how_urgent_it_is_and_what_it_is_about():
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["for"]
        assert rule["annotations"]["summary"]
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        if "sum(" in rule["expr"] or "count(" in rule["expr"]:
            assert not used & OF_PROMETHEUS, rule
    assert len({r["alert"] for r in RULES}) == len(RULES)


def test_the_scrape_finds_its_rules():
    scrape = yaml.safe_load((ROOT / "examples/prometheus/prometheus.yml").read_text())
    assert scrape["rule_files"] == ["alerts.yml"]
    jobs = {j["job_name"] for j in scrape["scrape_configs"]}
    said = {job for _, expr in EXPRESSIONS for job in re.findall(r'job="(\w+)"', expr)}
    assert said <= jobs
