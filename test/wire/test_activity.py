"""/v1/activity (contract ACT-1, ACT-2): calls added up over time."""
from __future__ import annotations

import csv
import io
import json
import random
import signal
import time
from datetime import datetime, timezone
from decimal import Decimal

import pytest

import history_frames
import raw
from promises import assert_envelope
from test_logs import ADMIN, FRESH_S, chat, configuration, file_of, filed, gateway  # noqa: F401
from test_openapi import check
from upstream import until

DAY_MS = 24 * 3600 * 1000
NOON_MS = int(time.time() * 1000) // DAY_MS * DAY_MS - DAY_MS + DAY_MS // 2  # yesterday's


def get(gw, query: str = "", path: str = "", key: str = ADMIN) -> raw.Response:
    return gw.get("/v1/activity" + path + query, key=key)


def activity(gw, query: str = "") -> dict:
    answer = get(gw, query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_float=Decimal)


def at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def window(from_ms: int, to_ms: int) -> str:
    return f"?from={at(from_ms)}&to={at(to_ms)}"


def rank(values: list[int], percent: int) -> int:
    """The value at rank ceil(p · n)."""
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def test_calls_are_added_up_and_fresh(gateway):
    for model in ("good", "good", "other", "nobody"):
        chat(gateway, model)
    until(lambda: activity(gateway)["totals"]["requests"] == 4, FRESH_S, "the calls")
    got = activity(gateway)
    totals = got["totals"]
    assert (got["object"], got["interval_s"], got["percentile_error"]) == ("activity", 3600, 0)
    assert totals["success_rate"] == Decimal("0.75") and totals["spend"] > 0
    tokens = totals["tokens"]
    assert tokens["total"] == tokens["input"] + tokens["output"] > 0
    assert [(m["model"], m["requests"]) for m in totals["model_distribution"]][0] == ("good", 2)
    assert totals["error_distribution"] == [{
        "type": "model_not_found", "code": 404, "endpoint_row": "chat", "requests": 1,
        "share": Decimal("0.25")}]
    assert len(got["data"]) in (24, 25)  # each hour of the last day, begun ones too
    assert sum(item["requests"] for item in got["data"]) == 4
    assert got["data"][0]["latency"] is None and got["data"][0]["success_rate"] is None
    assert set(totals["latency"]) == {"avg", "p50", "p90", "p95", "p99"}


@pytest.mark.parametrize("by,groups", [
    ("model", {"good": 2, "other": 1, None: 1}), ("provider", {"up": 3, None: 1}),
    ("status", {"success": 3, "failure": 1}), ("error_type", {None: 3, "model_not_found": 1})])
def test_groups(filed, by, groups):
    for model in ("good", "good", "other", "nobody"):
        chat(filed, model)
    until(lambda: activity(filed)["totals"]["requests"] == 4, FRESH_S, "the calls")
    got = activity(filed, f"?group_by={by}&interval=day")
    assert {g[by]: g["requests"] for g in got["groups"]} == groups
    assert sum(item["requests"] for item in got["data"]) == 4
    assert {item[by] for item in got["data"]} == set(groups)


def test_keys_of_one_name_are_two_groups(filed):
    def make() -> dict:
        body = json.dumps({"name": "same"}).encode()
        return filed.ask(raw.request_bytes("POST", "/v1/keys", body, key=ADMIN)).json

    one, two = make(), make()
    for key in (one, two, two):
        chat(filed, key=key["key"])
    until(lambda: activity(filed)["totals"]["requests"] == 3, FRESH_S, "the calls")
    got = activity(filed, "?group_by=key&interval=day")
    assert [(g["key"], g["key_name"], g["requests"]) for g in got["groups"]] == [
        (two["id"], "same", 2), (one["id"], "same", 1)]
    rows = list(csv.DictReader(io.StringIO(get(filed, "?group_by=key", "/export").body.decode(), newline="")))
    assert {(r["key"], r["key_name"]) for r in rows} == {(id, "same") for id in (one["id"], two["id"])}
    for query, n in (("?key=same", 3), (f"?key={one['id']}", 1), (f"?key_id={two['id']}", 2)):
        assert activity(filed, query)["totals"]["requests"] == n, query


def test_filters(filed):
    for model in ("good", "good", "other"):
        chat(filed, model)
    until(lambda: activity(filed)["totals"]["requests"] == 3, FRESH_S, "the calls")
    for query, n in (("?model=good", 2), ("?provider=up", 3), ("?key=dev", 3), ("?key=two", 0),
                     ("?provider=none", 0)):
        assert activity(filed, query)["totals"]["requests"] == n, query


def test_percentiles_spend_and_rates_are_exact(filed, tmp_path):
    rows = [{"time_ms": NOON_MS + 1000 * n, "model": "a" if n % 3 else "b", "endpoint_row": "chat",
             "http_status": 200, "input": n, "output": 2 * n, "cached": n // 2,
             "duration_us": random.randrange(1, 9_000_000), "ttft_us": random.randrange(1, 900_000),
             "final_pd": 123456789 * n} for n in range(600)]
    history_frames.put(file_of(tmp_path), rows)
    got = activity(filed, window(NOON_MS, NOON_MS + 600_000) + "&interval=minute")
    assert len(got["data"]) == 10
    third = rows[120:180]
    item = got["data"][2]
    assert item["time"] == at(NOON_MS + 120_000)[:19] + "Z"
    for name, figures in (("latency", [r["duration_us"] for r in third]),
                          ("ttft", [r["ttft_us"] for r in third])):
        assert item[name]["avg"] == Decimal(sum(figures) // 60) / 1000
        for p in (50, 90, 95, 99):
            assert item[name][f"p{p}"] == Decimal(rank(figures, p)) / 1000
    assert item["spend"] == Decimal(sum(r["final_pd"] for r in third)) / 10**12
    assert item["tokens"] == {"input": sum(r["input"] for r in third), "output": sum(r["output"] for r in third),
                              "total": sum(3 * r["input"] for r in third),
                              "cached": sum(r["cached"] for r in third)}
    assert item["rpm"] == 60 and item["tpm"] == item["tokens"]["total"]
    everything = [r["duration_us"] for r in rows]
    assert got["totals"]["latency"]["p95"] == Decimal(rank(everything, 95)) / 1000
    grouped = activity(filed, window(NOON_MS, NOON_MS + 600_000) + "&interval=minute&group_by=model")
    assert grouped["totals"] == got["totals"]
    of_a = [r["duration_us"] for r in rows if r["model"] == "a"]
    assert grouped["groups"][0]["model"] == "a" and grouped["groups"][0]["requests"] == 400
    assert grouped["groups"][0]["latency"]["p99"] == Decimal(rank(of_a, 99)) / 1000


def test_bounds_of_time_cut_sharply(filed, tmp_path):
    history_frames.put(file_of(tmp_path), [
        {"time_ms": NOON_MS + d, "model": "m"} for d in (-1, 0, 1, 59_999, 60_000, 60_001)])
    got = activity(filed, window(NOON_MS, NOON_MS + 60_000) + "&interval=minute")
    assert [i["requests"] for i in got["data"]] == [3]
    assert activity(filed, window(NOON_MS, NOON_MS))["data"] == []


def test_more_than_can_be_exact_says_how_far_it_is_off(filed, tmp_path):
    random.seed(5)
    rows = [{"time_ms": NOON_MS - n, "model": "m", "duration_us": int(random.lognormvariate(13, 1))}
            for n in range(300_000)]
    history_frames.put(file_of(tmp_path), rows)
    with filed.client(timeout=60) as c:
        answer = c.ask(raw.request_bytes(
            "GET", "/v1/activity" + window(NOON_MS - DAY_MS // 2, NOON_MS + 1), key=ADMIN))
    got = answer.json
    assert got["totals"]["requests"] == 300_000
    assert 0 < got["percentile_error"] < 0.02
    for p in (50, 90, 99):
        exact = rank([r["duration_us"] for r in rows], p) / 1000
        assert abs(got["totals"]["latency"][f"p{p}"] - exact) <= exact * got["percentile_error"]


def test_csv_says_the_same(filed, tmp_path):
    history_frames.put(file_of(tmp_path), [
        {"time_ms": NOON_MS + n, "model": "=1+1" if n else "m", "input": 5, "final_pd": 10**9,
         "duration_us": 1500} for n in range(2)])
    query = window(NOON_MS - 1, NOON_MS + 9) + "&group_by=model"
    answer = get(filed, query, "/export")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert sorted(r["model"] for r in rows) == ["'=1+1", "m"]
    for row in rows:
        assert (row["requests"], row["input_tokens"], row["spend"], row["latency_p95_ms"], row["ttft_avg_ms"]) == \
            ("1", "5", "0.001", "1.5", "")


@pytest.mark.parametrize("query,param", [
    ("?interval=week", "interval"), ("?group_by=colour", "group_by"), ("?from=x", "from"), ("?to=x", "to"),
    ("?from=2026-02-02&to=2026-02-01", "from"), ("?status=x", "status"),
    ("?from=2001-01-01&interval=minute", "interval"), ("?from=2001-01-01&to=2020-01-01&interval=day", "interval")])
@pytest.mark.parametrize("path", ["", "/export"])
def test_parameters_are_checked(filed, query, param, path):
    assert_envelope(get(filed, query, path), 400, "invalid_request_error", param)


def test_only_who_manages_may_read(filed):
    for path in ("", "/export"):
        assert_envelope(get(filed, "", path, raw.KEY), 403, "key_scope")
        assert_envelope(get(filed, "", path, "sk-nobody"), 401, "invalid_api_key")


def test_client_that_leaves_ends_the_work(filed, tmp_path):
    history_frames.put(file_of(tmp_path), [{"time_ms": NOON_MS - n, "model": "m"} for n in range(60_000)])
    for _ in range(12):
        with filed.client() as c:
            c.send(raw.request_bytes("GET", "/v1/activity?from=" + at(NOON_MS - DAY_MS), key=ADMIN))
            c.reset()
    until(lambda: get(filed).status == 200, what="room for another")


def test_loop_is_not_held_up(filed, tmp_path):
    if filed.sanitized():
        pytest.skip("a sanitizer's times say nothing")
    history_frames.put(file_of(tmp_path), [
        {"time_ms": NOON_MS - n, "model": f"m{n % 40}", "duration_us": n} for n in range(100_000)])
    filed.metrics()
    assert activity(filed, window(NOON_MS - DAY_MS // 2, NOON_MS + 1) + "&group_by=model")["totals"]["requests"] \
        == 100_000
    assert filed.metric("sluice_eventloop_lag_seconds") < 0.02


def test_answers_are_what_the_document_says(filed):
    document = filed.get("/v1/openapi.json", key=None).json
    for model in ("good", "nobody"):
        chat(filed, model)
    until(lambda: activity(filed)["totals"]["requests"] == 2, FRESH_S, "the calls")
    check(document, "Activity", get(filed, "?group_by=key").json)
    check(document, "Activity", get(filed).json)
    listed = filed.get("/v1/logs", key=ADMIN).json
    check(document, "LogList", listed)
    check(document, "LogRecord", filed.get("/v1/logs/" + listed["data"][0]["request_id"], key=ADMIN).json)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_in_the_middle_of_reads(gateway, number):
    """A second SIGTERM ends at once: whatever a thread still works on is let go of in good order."""
    for _ in range(5):
        chat(gateway)
    clients = [gateway.client() for _ in range(12)]
    for n, c in enumerate(clients):
        path = ["/v1/logs", "/v1/logs/export", "/v1/activity", "/v1/logs/" + "0" * 32][n % 4]
        c.send(raw.request_bytes("GET", path, key=ADMIN))
    if number == signal.SIGKILL:
        gateway.kill()
        gateway.start()
    else:
        gateway.signal(number)
        gateway.signal(number)
        gateway.wait_exit()
    for c in clients:
        c.close()
