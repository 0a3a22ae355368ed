"""`sluice usage`, `sluice logs` and `sluice audit`: a running gateway is asked for what it has kept."""
from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

import history_frames
import raw
from gateway import binary, environment, run
from test_logs import ADMIN, FRESH_S, chat, configuration, file_of, filed, logs, wait_for  # noqa: F401
from test_cli import on_terminal
from upstream import until

DAY_MS = 24 * 3600 * 1000
TODAY_MS = int(time.time() * 1000) // DAY_MS * DAY_MS


def sluice(gw, *args: str, key: str | None = ADMIN, **more) -> subprocess.CompletedProcess:
    env = {"SLUICE_BASE_URL": gw.base_url} | ({"SLUICE_API_KEY": key} if key else {})
    return run(*args, env=environment(**env), **more)


@pytest.fixture
def used(filed):
    """Three calls, one of them with another key, and one that failed."""
    for model, key in (("good", raw.KEY), ("good", "sk-another-key-of-the-test"), ("other", raw.KEY),
                       ("nobody", raw.KEY)):
        chat(filed, model, key=key)
    wait_for(filed, 4)
    return filed


# --- usage

def cells(line: str) -> list[str]:
    return line.split()


def test_usage_adds_up_by_model(used):
    done = sluice(used, "usage")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tokens ") and lines[1].startswith("spend ") and "█" in lines[0]
    table = {cells(line)[0]: cells(line) for line in lines[3:]}
    assert table["good"][1] == "2" and table["other"][1] == "1" and table["-"][1] == "1"
    assert table["all"][1] == "4" and table["all"][2] == "75.0"
    assert float(table["good"][6]) > 0


@pytest.mark.parametrize("by,first", [("key", {"dev", "two"}), ("provider", {"up", "-"}),
                                      ("status", {"success", "failure"}), ("error_type", {"model_not_found", "-"})])
def test_usage_by_something_else(used, by, first):
    lines = sluice(used, "usage", "--by", by).stdout.splitlines()
    assert {cells(line)[0] for line in lines[4:-1]} == first


def test_keys_of_one_name_are_told_apart(filed):
    ids = []
    for _ in range(2):
        made = filed.ask(raw.request_bytes("POST", "/v1/keys", b'{"name": "same"}', key=ADMIN)).json
        ids.append(made["id"])
        chat(filed, key=made["key"])
    wait_for(filed, 2)
    shown = sluice(filed, "usage", "--by", "key").stdout
    assert all(f"same ({id})" in shown for id in ids)
    assert all("key same" in line for line in sluice(filed, "logs").stdout.splitlines())
    for key, n in (("same", 2), (ids[0], 1), ("other", 0)):
        assert len(sluice(filed, "logs", "--key", key).stdout.splitlines()) == n


def test_usage_as_json_and_of_a_part(used):
    whole = json.loads(sluice(used, "usage", "--json").stdout)
    assert whole["totals"]["requests"] == 4
    assert json.loads(sluice(used, "usage", "--json", "--key", "two").stdout)["totals"]["requests"] == 1
    assert json.loads(sluice(used, "usage", "--json", "--since", "900d").stdout)
    later = json.loads(sluice(used, "usage", "--json", "--model", "other", "--since", "1h").stdout)
    assert later["totals"]["requests"] == 1 and later["interval_s"] == 60


def test_usage_fits_a_narrow_terminal(used):
    env = environment(SLUICE_BASE_URL=used.base_url, SLUICE_API_KEY=ADMIN, COLUMNS="40")
    code, text = on_terminal("usage", typed=[], until=[], env=env)
    assert code == 0 and "all" in text


@pytest.mark.parametrize("args", [("usage", "--since", "soon"), ("usage", "--by", "colour"),
                                  ("logs", "--since", "-1h"), ("logs", "-n", "0"), ("logs", "-n", "many"),
                                  ("audit",), ("audit", "x", "--tolerance", "2"), ("logs", "--status", "odd")])
def test_wrong_usage_is_told(used, args):
    done = sluice(used, *args)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("sluice: ")


@pytest.mark.parametrize("verb", ["usage", "logs"])
def test_who_may_not_is_told_what_to_do(used, verb):
    done = sluice(used, verb, key=raw.KEY)
    assert done.returncode == 77 and "scope: admin" in done.stderr
    assert sluice(used, verb, "--url", "http://127.0.0.1:1/v1").returncode == 69


# --- logs

def test_logs_are_shown_with_the_newest_at_the_bottom(used):
    listed = [r["request_id"] for r in logs(used)["data"]]
    lines = sluice(used, "logs").stdout.splitlines()
    assert [cells(line)[-1] for line in lines] == listed[::-1]
    failed, = [line for line in lines if "failure" in line]
    assert "404" in failed and "model_not_found" in failed
    assert any("good via up" in line and "key dev" in line for line in lines)
    shown = [json.loads(line) for line in sluice(used, "logs", "--json").stdout.splitlines()]
    assert shown == logs(used)["data"][::-1]
    assert len(sluice(used, "logs", "-n", "2").stdout.splitlines()) == 2
    assert len(sluice(used, "logs", "--status", "failure").stdout.splitlines()) == 1
    assert len(sluice(used, "logs", "--key", "two", "--since", "1h").stdout.splitlines()) == 1


def test_logs_over_many_pages(filed, tmp_path):
    now = int(time.time() * 1000)
    history_frames.put(file_of(tmp_path), [
        {"time_ms": now - n, "model": "m", "input": n} for n in range(777)])
    shown = sluice(filed, "logs", "--since", "1h", "--json").stdout.splitlines()
    assert [json.loads(line)["input_tokens"] for line in shown] == list(range(776, -1, -1))


def test_following_shows_each_call_once(used):
    env = environment(SLUICE_BASE_URL=used.base_url, SLUICE_API_KEY=ADMIN)
    p = subprocess.Popen([str(binary()), "logs", "-f", "--json"], stdout=subprocess.PIPE, env=env)
    os.set_blocking(p.stdout.fileno(), False)
    seen = b""

    def shown() -> list[str]:
        nonlocal seen
        seen += p.stdout.read() or b""
        return [json.loads(line)["request_id"] for line in seen.splitlines()]

    try:
        until(lambda: len(shown()) == 4, 10, "those there are")
        made = [chat(used) for _ in range(3)]
        until(lambda: len(shown()) >= 7, 10, "those that come")
        time.sleep(2.5)
        assert sorted(shown()[4:]) == sorted(made)  # those of one millisecond have no order
    finally:
        p.terminate()  # SIGINT is ignored by whom a script has put in the background
        p.communicate(timeout=10)


# --- audit

def export_of(tokens: int, model: str = "good", day_ms: int = TODAY_MS) -> dict:
    return {"object": "page", "has_more": False, "data": [{
        "object": "bucket", "start_time": day_ms // 1000, "results": [{
            "object": "organization.usage.completions.result", "input_tokens": tokens - 10,
            "output_tokens": 10, "model": model}]}]}


@pytest.fixture
def billed(filed, tmp_path):
    """Records of a day; a call on the caller's own credential is on another bill."""
    common = {"endpoint_row": "chat", "provider": "up", "http_status": 200}
    history_frames.put(file_of(tmp_path), [
        common | {"time_ms": TODAY_MS + n, "model": "fast", "upstream_model": "gpt-x", "input": 100,
                  "output": 50, "final_pd": 1_500_000_000} for n in range(10)] + [
        common | {"time_ms": TODAY_MS + 11, "model": "fast", "upstream_model": "gpt-x", "input": 7, "flags": 2},
        common | {"time_ms": TODAY_MS + 12, "model": "fast", "upstream_model": "gpt-x", "provider": "else",
                  "input": 9},
        common | {"time_ms": TODAY_MS - 1, "model": "fast", "upstream_model": "gpt-x", "input": 9}])
    return filed


def write(tmp_path, what) -> str:
    file = tmp_path / "bill"
    file.write_text(what if isinstance(what, str) else json.dumps(what))
    return str(file)


def test_bill_that_agrees(billed, tmp_path):
    for model in ("gpt-x", "gpt-x-2025-08-07", "gpt-x-20250807"):
        done = sluice(billed, "audit", write(tmp_path, export_of(1500, model)), "-p", "up")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ok" in done.stdout and "0 of 1 differ" in done.stdout


def test_bill_that_differs(billed, tmp_path):
    file = write(tmp_path, export_of(1515, "gpt-x"))
    done = sluice(billed, "audit", file, "-p", "up")
    assert done.returncode == 1 and "+15" in done.stdout and "1 of 1 differ" in done.stdout
    assert sluice(billed, "audit", file, "-p", "up", "--tolerance", "1%").returncode == 0
    assert sluice(billed, "audit", file, "-p", "up", "--tolerance", "0.009").returncode == 1
    told = json.loads(sluice(billed, "audit", file, "-p", "up", "--json").stdout)
    day = time.strftime("%Y-%m-%d", time.gmtime(TODAY_MS / 1000))
    assert told == [{"day": day, "model": "gpt-x", "our_tokens": 1500, "their_tokens": 1515,
                     "our_usd": 0.015, "their_usd": None, "differs": True}]


def test_bill_of_dollars(billed, tmp_path):
    day = time.strftime("%Y-%m-%d", time.gmtime(TODAY_MS / 1000))
    file = write(tmp_path, f"usage_date_utc,model,cost_usd\r\n{day},gpt-x,0.01\r\n{day},gpt-x,0.005\r\n")
    done = sluice(billed, "audit", file, "-p", "up")
    assert done.returncode == 0 and "0.015" in done.stdout
    cents = {"data": [{"starting_at": f"{day}T00:00:00Z", "results": [{"amount": "1.6", "currency": "USD",
                                                                       "model": "gpt-x"}]}]}
    done = sluice(billed, "audit", write(tmp_path, cents), "-p", "up")
    assert done.returncode == 1 and "+0.001" in done.stdout


def test_models_that_only_one_side_has_differ(billed, tmp_path):
    done = sluice(billed, "audit", write(tmp_path, export_of(100, "gpt-y")), "-p", "up", "--json")
    told = {row["model"]: (row["our_tokens"], row["their_tokens"], row["differs"])
            for row in json.loads(done.stdout)}
    assert done.returncode == 1 and told == {"gpt-x": (1500, 0, True), "gpt-y": (0, 100, True)}


def test_records_may_come_from_an_export(billed, tmp_path):
    export = billed.get("/v1/logs/export", key=ADMIN)
    records = tmp_path / "records.jsonl"
    records.write_bytes(export.body)
    done = run("audit", write(tmp_path, export_of(1500, "gpt-x")), "-p", "up", "--records", str(records))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "{}", "a,b\n1,2\n", '{"data":[]}', "\x00\x01", '{"data":[{"x":1}]}'])
def test_what_is_no_bill_is_refused(tmp_path, text):
    done = run("audit", write(tmp_path, text))
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("sluice: ")
    assert run("audit", str(tmp_path / "none")).returncode == 1
