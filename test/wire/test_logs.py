"""/v1/logs (contract LOG-1 to LOG-3): what was asked of the gateway, and what became of it."""
from __future__ import annotations

import csv
import io
import json
import re
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import quote

import pytest

import history_frames
import raw
from free_port import free_port
from promises import assert_envelope
from upstream import until

ADMIN = "sk-admin-of-the-gateway"
OTHER = "sk-another-key-of-the-test"
PROMPT = "canary-prompt-0b5e7f61-that-nobody-keeps"
FRESH_S = 2  # contract ACT-1
FIELDS = ["time", "request_id", "endpoint_row", "model", "upstream_model", "provider", "endpoint", "key_id",
          "key_name", "status", "http_status", "finish_reason", "native_finish_reason", "stream", "input_tokens",
          "output_tokens", "total_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
          "duration_ms", "ttft_ms", "gateway_overhead_ms", "list_cost", "discounted_cost", "final_cost",
          "cache_hit_rate", "savings_pct", "is_byok", "byok_cost", "insured", "attempts", "sticky"]


def configuration(**more) -> dict:
    return {
        "models": {
            "good": {"provider": "up", "price": {"input": "1", "output": "2", "cache_read": "1"}},
            "other": {"provider": "up", "upstream_model": "good"},
            "broken": {"provider": "up", "upstream_model": "reset-before-head"}},
        "keys": [{"name": "dev", "secret": raw.KEY}, {"name": "two", "secret": OTHER},
                 {"name": "boss", "secret": ADMIN, "scope": "admin"}]} | more


def file_of(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def gateway(store, start):
    gw = start(**configuration(store=store))
    gw.connected()
    return gw


@pytest.fixture
def filed(start, tmp_path):
    return start(**configuration(store={"url": f"sqlite://{file_of(tmp_path)}"}))


def chat(gw, model: str = "good", **more) -> str:
    """Its id; calls of the same millisecond stand in no order."""
    time.sleep(0.003)
    return gw.chat(model, **more).headers["x-request-id"]


def ask(gw, query: str = "", key: str = ADMIN) -> raw.Response:
    return gw.get("/v1/logs" + query, key=key)


def logs(gw, query: str = "") -> dict:
    answer = ask(gw, query)
    assert answer.status == 200, answer.body
    return answer.json


def record_of(gw, answer: raw.Response) -> dict:
    """Fresh within two seconds of its answer."""
    id = answer.headers["x-request-id"]
    until(lambda: ask(gw, "/" + id).status == 200, FRESH_S, f"the record of {id}")
    return ask(gw, "/" + id).json


def id_of(gw, key: str) -> str:
    """As /v1/keys has it."""
    return next(k["id"] for k in gw.get("/v1/keys", key=ADMIN).json["data"] if k["name"] == key)


def wait_for(gw, n: int, query: str = "?limit=100") -> list[dict]:
    until(lambda: len(logs(gw, query)["data"]) == n, FRESH_S, f"{n} records")
    return logs(gw, query)["data"]


def test_record_says_what_became_of_a_call(gateway):
    answer = gateway.chat("good", PROMPT, headers=[("X-Request-Id", "mine-1")])
    r = record_of(gateway, answer)
    assert set(r) == set(FIELDS) | {"client_request_id", "usage_estimated"}
    usage = answer.json["usage"]
    assert {k: r[k] for k in ("endpoint_row", "model", "upstream_model", "provider", "endpoint", "key_name")} \
        == {"endpoint_row": "chat", "model": "good", "upstream_model": "good", "provider": "up",
            "endpoint": "up", "key_name": "dev"}
    assert r["key_id"] == id_of(gateway, "dev")
    assert (r["status"], r["http_status"], r["finish_reason"], r["stream"]) == ("success", 200, "stop", False)
    assert r["request_id"] == answer.headers["x-request-id"] and r["client_request_id"] == "mine-1"
    assert (r["input_tokens"], r["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert r["total_tokens"] == usage["total_tokens"]
    assert r["attempts"] == [{"endpoint": "up", "result": "ok", "status": 200,
                              "latency_ms": r["attempts"][0]["latency_ms"]}]
    wanted = Decimal(r["input_tokens"]) / 10**6 + 2 * Decimal(r["output_tokens"]) / 10**6
    text = ask(gateway, "/" + r["request_id"]).body.decode()
    assert Decimal(re.search(r'"final_cost":([0-9.]+)', text).group(1)) == wanted
    assert Decimal(re.search(r'"list_cost":([0-9.]+)', text).group(1)) == wanted
    assert r["savings_pct"] == 0 and r["duration_ms"] > 0 and r["gateway_overhead_ms"] > 0
    age = datetime.now(timezone.utc) - datetime.fromisoformat(r["time"].replace("Z", "+00:00"))
    assert timedelta(0) <= age < timedelta(seconds=30) and re.search(r"\.\d{3}Z$", r["time"])


def test_failures_and_streams_have_their_words(gateway):
    with gateway.client() as c:
        stream = c.stream("good")
        stream.rest()
    unknown = gateway.chat("nobody")
    broken = gateway.chat("broken")
    by_status = {r["http_status"]: r for r in wait_for(gateway, 3)}
    assert by_status[200]["stream"] is True and by_status[200]["ttft_ms"] > 0
    assert by_status[404]["status"] == "failure" and by_status[404]["error_type"] == "model_not_found"
    assert by_status[404]["model"] is None and by_status[404]["request_id"] == unknown.json["request_id"]
    failed = by_status[broken.status]
    assert failed["status"] == "failure" and failed["model"] == "broken"
    assert failed["attempts"][0]["endpoint"] == "up" and failed["attempts"][0]["result"] != "ok"


def test_client_that_leaves_is_cancelled(gateway, upstream):
    with gateway.client() as c:
        c.send(raw.chat_bytes("silent-one"))
        stream = c.response()
        assert stream.status == 404
    gateway.config["models"]["quiet"] = {"provider": "up", "upstream_model": "silent"}
    gateway.reload(gateway.config)
    until(lambda: "quiet" in gateway.get("/v1/models").body.decode(), what="the reload")
    before = len(upstream.seen("silent"))
    with gateway.client() as c:
        c.send(raw.chat_bytes("quiet"))
        until(lambda: len(upstream.seen("silent")) > before, what="the provider to be asked")
    r = wait_for(gateway, 1, "?status=cancelled")[0]
    assert (r["model"], r["http_status"]) == ("quiet", 499)


def test_what_is_no_call_leaves_no_record(gateway):
    gateway.chat("good", key="sk-nobody")  # or whoever has no key could fill the history
    gateway.get("/v1/models")
    gateway.ask(raw.request_bytes("POST", "/v1/route/explain", raw.chat_body("good")))
    last = record_of(gateway, gateway.chat("good"))
    assert [r["request_id"] for r in logs(gateway)["data"]] == [last["request_id"]]


def test_pages_hold_every_record_once_newest_first(gateway):
    made = [chat(gateway) for _ in range(7)]
    wait_for(gateway, 7)
    seen, cursor = [], ""
    while True:
        page = logs(gateway, "?limit=3" + cursor)
        assert page["object"] == "list" and len(page["data"]) <= 3
        seen += page["data"]
        if "next_cursor" not in page:
            break
        cursor = "&cursor=" + page["next_cursor"]
    assert sorted(r["request_id"] for r in seen) == sorted(made)
    times = [r["time"] for r in seen]
    assert times == sorted(times, reverse=True)
    assert len(logs(gateway, "?limit=7")["data"]) == 7 and "next_cursor" not in logs(gateway, "?limit=7")


def test_filters(gateway):
    chat(gateway)
    chat(gateway, "other")
    chat(gateway, key=OTHER)
    chat(gateway, "nobody")
    wait_for(gateway, 4)
    dev, two = id_of(gateway, "dev"), id_of(gateway, "two")
    for query, n in (("?model=good", 2), (f"?key_id={two}", 1), ("?key_id=two", 0), ("?key=two", 1), (f"?key={two}", 1),
                     (f"?key_id={dev}&key=two", 0), ("?provider=up", 3), ("?status=failure", 1),
                     ("?status=timeout", 0), (f"?model=good&key_id={dev}", 1), ("?model=none", 0),
                     ("?provider=up&status=success&model=other", 1)):
        assert len(logs(gateway, query)["data"]) == n, query
    newest, oldest = logs(gateway)["data"][0], logs(gateway)["data"][-1]
    assert len(logs(gateway, f"?from={newest['time']}")["data"]) >= 1
    assert oldest["request_id"] not in {
        r["request_id"] for r in logs(gateway, f"?from={newest['time']}")["data"]}
    assert logs(gateway, f"?to={oldest['time']}")["data"] == []
    hour_ago = quote((datetime.now(timezone.utc) - timedelta(hours=1)).isoformat())
    assert len(logs(gateway, f"?from={hour_ago}")["data"]) == 4
    assert logs(gateway, f"?to={hour_ago}")["data"] == []


@pytest.mark.parametrize("query,param", [
    ("?from=yesterday", "from"), ("?to=2026-02-30", "to"), ("?from=2026-02-02&to=2026-02-01", "from"),
    ("?status=done", "status"), ("?limit=0", "limit"), ("?limit=x", "limit"),
    ("?model=" + "m" * 200, "model"), ("/export?format=xml", "format"), ("/export?from=1", "from")])
def test_parameters_are_checked(filed, query, param):
    assert_envelope(ask(filed, query), 400, "invalid_request_error", param)


def test_cursor_of_somebody_else_is_refused(filed):
    for _ in range(3):
        filed.chat("good")
    wait_for(filed, 3)
    cursor = logs(filed, "?limit=1")["next_cursor"]
    swapped = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    for bad in (swapped, "AAAA", cursor[:-6], ""):
        answer = ask(filed, "?cursor=" + bad)
        assert_envelope(answer, 400, "invalid_cursor", "cursor")


def test_only_who_manages_may_read(filed):
    for path in ("", "/export", "/" + "0" * 32):
        assert_envelope(ask(filed, path, raw.KEY), 403, "key_scope")
        assert_envelope(ask(filed, path, "sk-nobody"), 401, "invalid_api_key")


def test_admin_listener_reads_with_its_token(start):
    port, admin = free_port(), free_port()
    gw = start(port=port, listeners=[
        {"address": f"127.0.0.1:{port}", "serves": ["api", "health", "metrics"]},
        {"address": f"127.0.0.1:{admin}", "serves": ["admin"]}], admin={"token": "t0ken"})
    gw.chat("good")
    with raw.Client(("127.0.0.1", admin)) as c:
        until(lambda: len(c.ask(raw.request_bytes("GET", "/v1/logs", key="t0ken")).json["data"]) == 1,
              FRESH_S, "the record")
        assert c.ask(raw.request_bytes("GET", "/v1/logs", key="wrong")).status == 401


def test_unknown_call_is_not_found(filed):
    for id in ("0" * 32, "x" * 32, "0" * 31, "0" * 33):
        assert_envelope(ask(filed, "/" + id), 404, "not_found")


def test_records_survive_a_restart(store, start, tmp_path):
    one = start(**configuration(store=store))
    one.connected()
    kept = [chat(one) for _ in range(3)]
    one.stop()  # at once: the end writes what waits
    two = start(**configuration(store=store))
    two.connected()
    found = [r["request_id"] for r in logs(two)["data"]]
    assert found == ([] if store["url"] == "memory:" else kept[::-1])


def test_replicas_show_each_others_calls(start, redis):
    pair = [start(**configuration(store={"url": f"redis://127.0.0.1:{redis.port}"})) for _ in range(2)]
    for gw in pair:
        gw.connected()
    made = [pair[n % 2].chat("good").headers["x-request-id"] for n in range(6)]
    for gw in pair:
        assert sorted(r["request_id"] for r in wait_for(gw, 6)) == sorted(made)
    first = logs(pair[0], "?limit=4")
    second = logs(pair[1], "?limit=4&cursor=" + first["next_cursor"])  # signed by what both know
    assert len(first["data"] + second["data"]) == 6


def test_redis_that_was_away_gets_what_waited(start, redis, tmp_path):
    gw = start(**configuration(store={"url": f"redis://127.0.0.1:{redis.port}"}))
    gw.connected()
    redis.freeze()
    kept = [chat(gw) for _ in range(3)]
    assert ask(gw).status == 503
    redis.thaw()
    until(lambda: ask(gw).status == 200 and len(logs(gw)["data"]) == 3, 15, "the records")
    assert [r["request_id"] for r in logs(gw)["data"]] == kept[::-1]
    assert gw.metric("sluice_history_dropped_total") == 0


def test_what_is_too_old_is_swept_out(store, start, tmp_path, request):
    gw = start(**configuration(store=store, history={"retention": "1s"}))
    gw.connected()
    gw.chat("good")
    wait_for(gw, 1)
    until(lambda: logs(gw)["data"] == [], 5, "the record to be too old")
    gw.reload(gw.config | {"history": {"retention": "2s"}})  # sweeps at once

    def left() -> int:
        if store["url"].startswith("sqlite"):
            with history_frames.sqlite3.connect(file_of(tmp_path)) as db:
                return db.execute("SELECT count(*) FROM history").fetchone()[0]
        return 0
    time.sleep(1.5)
    gw.reload(gw.config | {"history": {"retention": "1s"}})
    until(lambda: left() == 0, 5, "it to be swept out of the file")


def test_history_can_be_switched_off_and_on(filed):
    filed.chat("good")
    wait_for(filed, 1)
    filed.reload(filed.config | {"history": {"enabled": False}})
    until(lambda: filed.log().count("configuration loaded") == 1, what="the reload")
    filed.chat("good")
    filed.reload(filed.config | {"history": {"enabled": True}})
    until(lambda: filed.log().count("configuration loaded") == 2, what="the reload")
    filed.chat("good")
    wait_for(filed, 2)


# --- exports

def test_export_as_json_lines_is_what_the_list_says(gateway):
    for model in ("good", "other", "nobody"):
        gateway.chat(model)
    listed = wait_for(gateway, 3)
    answer = ask(gateway, "/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.body.splitlines()] == listed
    assert len(ask(gateway, "/export?model=good").body.splitlines()) == 1


def test_export_as_csv(gateway):
    for model in ("good", "nobody"):
        chat(gateway, model)
    listed = wait_for(gateway, 2)
    answer = ask(gateway, "/export?format=csv")
    assert answer.headers["content-type"].startswith("text/csv") and answer.body.count(b"\r\n") == 3
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert [r["request_id"] for r in rows] == [r["request_id"] for r in listed]
    assert set(FIELDS) < set(rows[0]) and {"client_request_id", "error_type", "batch_id"} < set(rows[0])
    assert rows[1]["final_cost"] != "0" and rows[1]["model"] == "good" and rows[0]["model"] == ""
    assert rows[1]["attempts"].startswith("up ok 200 ")


def test_csv_begins_no_formula_and_keeps_its_cells(filed, tmp_path):
    now = int(time.time() * 1000)
    mean = ["=1+1", "+1", "-1", "@SUM(1)", 'a"b', "a,b", "a\r\nb", "plain", "\tx"]
    history_frames.put(file_of(tmp_path), [
        {"time_ms": now - n, "model": m, "endpoint_row": "chat"} for n, m in enumerate(mean)])
    body = ask(filed, "/export?format=csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(body, newline="")))
    assert [r["model"] for r in rows] == [("'" if m[0] in "=+-@\t" else "") + m for m in mean]


def many(file, n: int) -> None:
    now = int(time.time() * 1000)
    history_frames.put(file, [
        {"time_ms": now - i // 3, "model": f"m{i % 5}", "key_id": "dev", "provider": "up",
         "endpoint_row": "chat", "http_status": 200, "input": i, "duration_us": 1000 * (i % 100)}
        for i in range(n)])


def test_export_of_many_is_whole_and_bounded(filed, tmp_path):
    many(file_of(tmp_path), 50_000)
    with filed.client(timeout=60) as c:
        c.send(raw.request_bytes("GET", "/v1/logs/export", key=ADMIN))
        head, ids, rest, before = c.read_head(), [], b"", filed.rss_kb
        peak = before
        for n, piece in enumerate(c.arrivals(head)):
            lines = (rest + piece.data).split(b"\n")
            rest = lines.pop()
            ids += [json.loads(line)["request_id"] for line in lines]
            if n % 50 == 0:
                peak = max(peak, filed.rss_kb)
        assert head.complete and rest == b""
    assert len(ids) == len(set(ids)) == 50_000
    if not filed.sanitized():
        assert peak - before < 8 * 1024  # the whole is thirty megabytes


def test_client_that_stops_reading_an_export_stops_it(filed, tmp_path):
    many(file_of(tmp_path), 50_000)
    before = filed.rss_kb
    with filed.client() as c:
        c.send(raw.request_bytes("GET", "/v1/logs/export", key=ADMIN))
        c.read_until(b"\r\n\r\n")
        time.sleep(1)
        if not filed.sanitized():
            assert filed.rss_kb - before < 8 * 1024
        assert filed.chat("good").status == 200  # nobody is held up
        c.reset()
    until(lambda: any(r["outcome"] == "client_gone" and r["path"] == "/v1/logs/export"
                      for r in filed.records()), what="the export to end")
    assert logs(filed, "?limit=1")["data"]


def test_damaged_rows_are_stepped_over(filed, tmp_path):
    now = int(time.time() * 1000)
    whole = history_frames.frame(now, b"i" * 16, model="m", endpoint_row="chat")
    broken = [b"", b"\x00", whole[:20], whole[:-1], whole[:4] + b"\x09" + whole[5:],
              whole[:29] + b"\xff" * (len(whole) - 29), b"\xff\xff\xff\xff" + whole[4:], whole + b"x"]
    history_frames.put(file_of(tmp_path), [
        {"time_ms": now - 10 - n, "model": "m", "raw": raw} for n, raw in enumerate(broken)])
    history_frames.put(file_of(tmp_path), [{"time_ms": now, "model": "m"}, {"time_ms": now - 99, "model": "m"}])
    for query in ("", "?model=m"):
        assert 2 <= len(logs(filed, query)["data"]) <= 4  # some can be read all the same
    assert 2 <= len(ask(filed, "/export").body.splitlines()) <= 4
    assert filed.get("/v1/activity", key=ADMIN).status == 200


# --- what is never kept

def test_no_word_of_a_prompt_or_answer_is_kept(start, upstream, tmp_path):
    file = file_of(tmp_path)
    gw = start(**configuration(store={"url": f"sqlite://{file}"}))
    for model in ("good", "nobody", "broken"):
        gw.chat(model, PROMPT)
        with gw.client() as c:
            c.send(raw.chat_bytes(model, PROMPT, stream=True))
            c.response()
    until(lambda: len(logs(gw)["data"]) == 6, FRESH_S, "the records")
    shown = ask(gw, "/export").body + ask(gw, "/export?format=csv").body
    gw.stop()
    kept = b"".join(f.read_bytes() for f in tmp_path.glob("store.db*"))
    assert len(kept) > 4096
    for text in (shown, kept):
        assert PROMPT.encode() not in text and b"You said" not in text
        assert raw.KEY.encode() not in text
