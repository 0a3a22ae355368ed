"""Operating it: health, metrics, the access log, signals, reload under load, systemd."""
from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import time

import pytest

import exposition
import misbehaviour
import provider
import raw
from gateway import CANARY, Gateway
from promises import assert_envelope, assert_in_band_error, assert_whole
from upstream import until

METRICS = """
sluice_requests_total sluice_request_duration_seconds sluice_overhead_seconds
sluice_time_to_first_token_seconds sluice_output_token_seconds sluice_tokens_total
sluice_cost_usd_total sluice_upstream_attempts_total sluice_upstream_connections
sluice_ratelimit_rejections_total sluice_inflight_requests sluice_active_streams
sluice_stream_buffer_bytes sluice_stream_stalls_total sluice_store_errors_total
sluice_log_dropped_total sluice_config_last_reload_successful sluice_config_hash_info
sluice_eventloop_lag_seconds sluice_build_info process_resident_memory_bytes
process_virtual_memory_bytes process_cpu_seconds_total process_open_fds process_max_fds
process_start_time_seconds sluice_trace_spans_exported_total sluice_trace_spans_dropped_total
gen_ai_client_token_usage gen_ai_server_request_duration_seconds
gen_ai_server_time_to_first_token_seconds gen_ai_server_time_per_output_token_seconds
""".split()

RECORD = """
ts request_id client_request_id key key_id client method path status api stream model endpoint
attempts outcome finish_reason duration_ms overhead_us ttft_ms tokens_in tokens_out
tokens_cached tokens_reasoning usage_source cost_pd bytes_in bytes_out upstream_request_id
""".split()


# Health and metrics.

@pytest.mark.parametrize("target", ["/healthz", "/livez", "/readyz", "/readyz?verbose"])
def test_health_answers_without_a_key(gateway, target):
    assert gateway.get(target, key=None).status == 200


def test_readiness_says_what_it_looked_at(gateway):
    assert len(gateway.get("/readyz?verbose").body) > len(gateway.get("/readyz").body)


def test_metrics_have_the_promised_names(gateway):
    gateway.chat("good")
    text = gateway.get("/metrics", key=None).body.decode()
    missing = [name for name in METRICS if f"# TYPE {name} " not in text]
    assert not missing, missing


def test_metrics_are_valid_prometheus_text(gateway):
    gateway.chat("good")
    gateway.chat("no-such-model")
    with gateway.client() as client:
        client.stream("good").rest()
    answer = gateway.get("/metrics", key=None)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = exposition.read(answer.body.decode())
    assert len(families) > 40 and any(f.kind == "histogram" and f.samples for f in families.values())


@pytest.mark.parametrize("text", [
    "a_total 1\n", "# TYPE a gauge\na 1\n", "# HELP a x\n# TYPE a gauge\na 1\na 1\n",
    "# HELP a x\n# TYPE a gauge\na 1", "# HELP a x\n# TYPE a counter\na 1\n",
    '# HELP a x\n# TYPE a gauge\na{b="1",b="2"} 1\n', '# HELP a x\n# TYPE a gauge\na{b="1",} 1\n',
    "# HELP a x\n# TYPE a gauge\na one\n", "# HELP a x\n# TYPE a gauge\nb 1\n",
    '# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    '# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n'])
def test_what_is_no_prometheus_text_would_be_found(text):
    with pytest.raises(AssertionError):
        exposition.read(text)


def test_the_words_of_opentelemetry_are_beside_our_own(gateway, upstream):
    def sample(name, **labels):
        return gateway.metric(name, **labels)
    chat = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai",
            "gen_ai_request_model": "good"}
    before = {t: sample("gen_ai_client_token_usage_sum", gen_ai_token_type=t, **chat)
              for t in ("input", "output")}
    seconds = sample("gen_ai_server_request_duration_seconds_count", error_type="", **chat)
    first = sample("gen_ai_server_time_to_first_token_seconds_count", **chat)
    usage = gateway.chat("good").json["usage"]
    with gateway.client() as client:
        client.stream("good").rest()
    until(lambda: sample("gen_ai_server_request_duration_seconds_count", error_type="", **chat)
          == seconds + 2, what="two durations")
    for kind, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
        assert sample("gen_ai_client_token_usage_sum", gen_ai_token_type=kind, **chat) \
            >= before[kind] + 2 * usage[name]
    assert sample("gen_ai_server_time_to_first_token_seconds_count", **chat) == first + 1
    model = upstream.play(misbehaviour.status(500))
    gateway.chat(model)
    until(lambda: sample("gen_ai_server_request_duration_seconds_count",
                         error_type="upstream_error", gen_ai_request_model=model) == 1,
          what="the failure")


def test_what_a_slow_client_has_not_taken_is_counted(gateway, upstream):
    model = upstream.play(misbehaviour.endless(65536))
    with gateway.client() as client:
        client.send(raw.chat_bytes(model, stream=True))
        until(lambda: gateway.metric("sluice_stream_buffer_bytes", kind="backlog") > 0,
              what="a backlog")
    until(lambda: gateway.metric("sluice_stream_buffer_bytes", kind="backlog") == 0,
          what="it to go")


def test_requests_are_counted_by_outcome(gateway):
    def count(outcome):
        return gateway.metric("sluice_requests_total", outcome=outcome)
    before = count("ok"), count("client_error")
    gateway.chat("good")
    with gateway.client() as client:
        client.stream("good").rest()
    gateway.chat("no-such-model")
    until(lambda: count("ok") >= before[0] + 2 and count("client_error") >= before[1] + 1,
          what="the counts")


def test_labels_never_come_from_clients(gateway):
    for number in range(5):
        gateway.chat(f"made-up-{number}")
        gateway.ask(raw.request_bytes("GET", f"/made/up/{number}"))
    text = gateway.get("/metrics", key=None).body.decode()
    assert "made-up" not in text and "made/up" not in text


def test_tokens_and_time_are_counted(gateway):
    before = gateway.metric("sluice_tokens_total")
    with gateway.client() as client:
        client.stream("good").rest()
    until(lambda: gateway.metric("sluice_tokens_total") > before, what="tokens")
    assert gateway.metric("sluice_time_to_first_token_seconds_count") >= 1


def test_connections_to_providers_are_counted_by_state(start, upstream):
    gw = start()
    gate = upstream.gate()
    model = upstream.play(misbehaviour.stepped(gate, 1))
    gw.chat("good")
    with gw.client() as client:
        client.send(raw.chat_bytes(model, stream=True))
        upstream.exchange_of(model)
        assert gw.metric("sluice_upstream_connections", endpoint="up", state="busy") == 1
        gate.open(2)
        raw.Stream(client).rest()
    until(lambda: gw.metric("sluice_upstream_connections", endpoint="up", state="idle") == 1,
          what="the connection back in its pool")


# The access log.

def test_every_stream_is_one_record_with_every_field(gateway):
    with gateway.client() as client:
        stream = client.stream("good", headers=(("X-Request-Id", "client-7"),))
        body = stream.rest()
    record = gateway.record_of(stream.headers["x-request-id"])
    missing = [name for name in RECORD if name not in record]
    assert not missing, missing
    assert record["client_request_id"] == "client-7"
    assert (record["key"], record["method"], record["path"], record["status"], record["stream"],
            record["model"], record["outcome"]) == \
        ("dev", "POST", "/v1/chat/completions", 200, True, "good", "ok")
    assert record["tokens_out"] == 3 and record["tokens_cached"] == 3
    assert record["usage_source"] == "provider"
    assert record["finish_reason"] == "stop"
    assert record["bytes_out"] >= len(body)
    assert record["upstream_request_id"] == "req_provider_0001"


def test_whole_answers_are_recorded_alike(gateway):
    answer = gateway.chat("good")
    record = gateway.record_of(answer.headers["x-request-id"])
    assert (record["stream"], record["tokens_out"], record["finish_reason"]) == (False, 3, "stop")
    assert record["bytes_out"] >= len(answer.body) and record["bytes_in"] > 0
    assert record["overhead_us"] <= (record["duration_ms"] + 1) * 1000


def test_records_are_json_whatever_a_provider_calls_its_request(gateway, upstream):
    async def script(x):
        body = provider.compact(provider.chat_completion(x.request.json))
        await x.reply(200, body, ("x-request-id", 'a"b\\c\xff\xc3\t'))
    answer = gateway.chat(upstream.play(script))
    assert gateway.record_of(answer.headers["x-request-id"])["status"] == answer.status


def test_streams_are_recorded_when_they_end(gateway, upstream):
    model = upstream.play(misbehaviour.drip(5, 0.06))
    with gateway.client() as client:
        stream = client.stream(model)
        stream.next()
        request_id = stream.headers["x-request-id"]
        assert not [r for r in gateway.records() if r["request_id"] == request_id]
        stream.rest()
    record = gateway.record_of(request_id)
    assert record["stream"] is True and record["tokens_out"] == 5
    assert 0 <= record["ttft_ms"] < record["duration_ms"]
    assert record["duration_ms"] >= 300


def test_errors_are_recorded_with_their_type(gateway):
    answer = gateway.chat("no-such-model")
    record = gateway.record_of(answer.headers["x-request-id"])
    assert (record["status"], record["error_type"]) == (404, "model_not_found")


def test_unsafe_client_request_ids_are_not_stored(gateway):
    for given in ('a"b', "x" * 65, "a b", "a\\b", "\xe9"):
        answer = gateway.chat("good", headers=(("X-Request-Id", given),))
        assert answer.headers["x-request-id"] != given
        record = gateway.record_of(answer.headers["x-request-id"])
        assert not record.get("client_request_id"), given


def test_logs_carry_no_prompt_no_answer_no_key(gateway):
    gateway.chat("good", "prompt-canary-5521")
    with gateway.client() as client:
        client.stream("good", "prompt-canary-5522").rest()
    gateway.ask(raw.request_bytes("POST", "/v1/chat/completions", b'{"x":"prompt-canary-5523'))
    time.sleep(0.1)
    said = gateway.output()
    for secret in ("prompt-canary", raw.KEY, CANARY):
        assert secret not in said, secret


def test_server_timing_is_on_every_answer(gateway):
    for stream in (False, True):
        with gateway.client() as client:
            client.send(raw.chat_bytes("good", stream=stream))
            head = client.read_head()
        timing = head.headers["server-timing"]
        for part in ("gw", "connect", "upstream"):
            assert re.search(rf"\b{part};dur=\d+(\.\d+)?", timing), timing


def test_answers_name_model_provider_and_attempts(gateway):
    head = gateway.chat("good").headers
    assert (head["x-sluice-model"], head["x-sluice-provider"]) == ("good", "up")
    assert head["x-sluice-attempts"] == "1"


# SIGTERM.

def open_streams(gw, model: str, count: int) -> list[raw.Client]:
    clients = [gw.client(timeout=30) for _ in range(count)]
    for client in clients:
        client.send(raw.chat_bytes(model, stream=True))
    return clients


def count_broken(clients: list[raw.Client], text: str) -> list:
    """Reads every stream to its end; returns those that did not come whole."""
    broken = []
    for client in clients:
        try:
            events = raw.Stream(client).data()
            if events[-1] != "[DONE]" or raw.content_of(events) != text \
                    or any("error" in e for e in events[:-1]):
                broken.append(events[-3:])
        except Exception as problem:
            broken.append(repr(problem))
        client.close()
    return broken


def test_sigterm_breaks_none_of_200_live_streams(start, upstream):
    gw = start(server={"drain": {"timeout": "20s"}})
    model = upstream.play(misbehaviour.drip(20, 0.1))
    clients = open_streams(gw, model, 200)
    until(lambda: len(upstream.seen(model)) == 200, 15, "200 requests")
    gw.signal(signal.SIGTERM)
    assert count_broken(clients, "".join(f"{n} " for n in range(20))) == []
    gw.wait_exit()


def test_sigterm_stops_accepting(start, upstream):
    gw = start()
    model = upstream.play(misbehaviour.drip(10, 0.1))
    clients = open_streams(gw, model, 1)
    upstream.exchange_of(model)
    gw.signal(signal.SIGTERM)

    def refused() -> bool:
        try:
            gw.client(timeout=1).close()
            return False
        except OSError:
            return True
    until(refused, 3, "closed listeners")
    assert count_broken(clients, "".join(f"{n} " for n in range(10))) == []
    gw.wait_exit()


def test_sigterm_closes_idle_connections_at_once(start):
    gw = start()
    with gw.client() as client:
        assert client.chat("good").status == 200
        began = time.monotonic()
        gw.signal(signal.SIGTERM)
        assert client.is_closed(5)
        gw.wait_exit()
        assert time.monotonic() - began < 5


def test_readiness_goes_first_when_a_delay_is_configured(start):
    gw = start(server={"drain": {"delay": "1s", "timeout": "5s"}})
    gw.signal(signal.SIGTERM)
    until(lambda: gw.get("/readyz").status == 503, 1, "readyz to say 503")
    assert gw.get("/healthz").status == 200
    assert gw.chat("good").status == 200  # still accepting: the balancer needs time to notice
    gw.wait_exit()


def test_stream_past_the_drain_limit_ends_in_band(start, upstream):
    gw = start(server={"drain": {"timeout": "500ms"}})
    model = upstream.play(misbehaviour.drip(200, 0.05))
    silent = upstream.play(misbehaviour.silent)
    with gw.client() as client, gw.client() as waiting:
        stream = client.stream(model)
        stream.next()
        waiting.send(raw.chat_bytes(silent))
        upstream.exchange_of(silent)
        gw.signal(signal.SIGTERM)
        assert_in_band_error(stream.data())
        assert_envelope(waiting.response(), 503)
    gw.wait_exit()


def test_second_signal_means_now(start, upstream):
    gw = start(server={"drain": {"timeout": "60s"}})
    model = upstream.play(misbehaviour.silent)
    clients = open_streams(gw, model, 1)
    upstream.exchange_of(model)
    gw.signal(signal.SIGTERM)
    time.sleep(0.2)
    gw.signal(signal.SIGTERM)
    gw.process.wait(5)
    clients[0].close()
    gw.process = None


def test_sigint_ends_it_too(start):
    gw = start()
    gw.signal(signal.SIGINT)
    gw.wait_exit()


# Reload.

def test_reload_breaks_none_of_200_live_streams(start, upstream):
    """Their model is even taken away: who started under the old configuration keeps it."""
    gw = start()
    model = upstream.play(misbehaviour.drip(20, 0.1))
    clients = open_streams(gw, model, 200)
    until(lambda: len(upstream.seen(model)) == 200, 15, "200 requests")
    config = json.loads(json.dumps(gw.config))
    del config["models"][model]
    config["models"]["fresh"] = {"provider": "up", "upstream_model": "good"}
    gw.reload(config)
    until(lambda: gw.chat("fresh").status == 200, 5, "the new model")
    assert_envelope(gw.chat(model), 404, "model_not_found")
    assert count_broken(clients, "".join(f"{n} " for n in range(20))) == []


def test_bad_reload_keeps_the_old_configuration_and_says_where(start):
    gw = start()
    assert gw.metric("sluice_config_last_reload_successful") == 1
    text = "version: 1\nlisten: 127.0.0.1:1\nprovidres:\n  up: {}\n"
    gw.reload(text)
    until(lambda: "sluice.yaml:3:" in gw.log(), 5, "file:line in the log")
    assert "providers" in gw.log().partition("sluice.yaml:3:")[2], "a suggestion"
    assert gw.chat("good").status == 200
    assert gw.metric("sluice_config_last_reload_successful") == 0


def test_good_reload_after_a_bad_one_is_taken(start):
    gw = start()
    good = gw.config
    gw.reload("version: [")
    until(lambda: gw.metric("sluice_config_last_reload_successful") == 0, what="the refusal")
    good["models"]["fresh"] = {"provider": "up", "upstream_model": "good"}
    gw.reload(good)
    until(lambda: gw.chat("fresh").status == 200, 5, "the new model")
    assert gw.metric("sluice_config_last_reload_successful") == 1


def test_reload_changes_keys(start):
    gw = start()
    config = json.loads(json.dumps(gw.config))
    config["keys"] = [{"name": "new", "secret": "sk-new-key", "models": ["*"]}]
    gw.reload(config)
    until(lambda: gw.chat("good", key="sk-new-key").status == 200, 5, "the new key")
    assert gw.chat("good").status == 401


def test_what_needs_a_restart_is_said(start):
    gw = start()
    config = json.loads(json.dumps(gw.config))
    config["store"] = {"url": "redis://127.0.0.1:1"}
    gw.reload(config)
    until(lambda: re.search(r"store.*restart|restart.*store", gw.log()), 5, "the hint")


def test_many_reloads_leak_nothing(start):
    gw = start()
    for _ in range(30):
        gw.signal(signal.SIGHUP)
        assert gw.chat("good").status == 200
    # what leaked, LeakSanitizer tells when the fixture stops the gateway


def test_watched_file_is_reloaded_when_it_changes(start):
    gw = start(args=("--watch",))
    config = json.loads(json.dumps(gw.config))
    config["models"]["fresh"] = {"provider": "up", "upstream_model": "good"}
    gw.write_config(config)
    until(lambda: gw.chat("fresh").status == 200, 5, "the new model")


def test_a_log_beside_the_watched_file_reloads_nothing(start):
    gw = start(args=("--watch",))
    for _ in range(10):
        gw.chat("good")
        time.sleep(0.1)
    assert gw.log().count("configuration loaded") == 0


def test_secret_files_are_read_again_at_reload(start, tmp_path, upstream):
    secret = tmp_path / "provider.key"
    secret.write_text("sk-first\n")
    gw = start(providers={"up": {"api_key": {"file": str(secret)}}})
    gw.chat("good")
    assert upstream.requests[-1].headers["authorization"] == "Bearer sk-first"
    secret.write_text("sk-second\n")
    gw.signal(signal.SIGHUP)

    def used() -> bool:
        gw.chat("good")
        return upstream.requests[-1].headers["authorization"] == "Bearer sk-second"
    until(used, 5, "the new credential")


# systemd.

class NotifySocket:
    def __init__(self, name: str):
        self.name = name
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        self.sock.settimeout(5)

    def next(self) -> dict[str, str]:
        text = self.sock.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.splitlines() if line)

    def until(self, name: str) -> dict[str, str]:
        for _ in range(50):
            said = self.next()
            if name in said:
                return said
        raise AssertionError(f"no {name}")


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_of_every_change(start, tmp_path, kind):
    name = str(tmp_path / "notify") if kind == "path" else f"@sluice-wire-{os.getpid()}"
    notify = NotifySocket(name)
    gw = start(env={"NOTIFY_SOCKET": name})
    assert notify.until("READY")["READY"] == "1"
    gw.signal(signal.SIGHUP)
    reloading = notify.until("RELOADING")
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert notify.until("READY")["READY"] == "1"
    gw.signal(signal.SIGTERM)
    assert notify.until("STOPPING")["STOPPING"] == "1"
    gw.wait_exit()


def test_watchdog_is_fed(start, tmp_path):
    notify = NotifySocket(str(tmp_path / "notify"))
    start(env={"NOTIFY_SOCKET": notify.name, "WATCHDOG_USEC": "400000"})
    for _ in range(3):
        assert notify.until("WATCHDOG")["WATCHDOG"] == "1"


def test_socket_activation_serves_on_the_inherited_socket(upstream, tmp_path):
    """Connections that came before the start are served, and nothing else is bound."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        port, fd = listening.getsockname()[1], listening.fileno()
        early = raw.Client(("127.0.0.1", port))
        early.send(raw.request_bytes("GET", "/readyz"))
        gw = Gateway(tmp_path / "activated", upstream.base_url, port=port, listeners=[
            {"name": "api", "address": "fd:api", "serves": ["api", "health", "metrics"]}])
        gw.directory.mkdir()
        gw.write_config()
        code = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(" \
               "LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='api'); " \
               "os.execv(sys.argv[2], sys.argv[2:])"
        gw.launch("serve", "--config", str(gw.file),
                  through=(sys.executable, "-c", code, str(fd)), pass_fds=(fd,))
    try:
        assert early.response("GET").status == 200
        assert gw.chat("good").status == 200
        with gw.client() as client:
            assert_whole(client.stream("good").data())
    finally:
        early.close()
        gw.stop()


# Starting.

def test_taken_address_is_an_error_that_names_it(start, gateway):
    gw = start(wait=False, port=gateway.port)
    code = gw.process.wait(10)
    assert code != 0
    assert str(gateway.port) in gw.log(), gw.log()
    gw.process = None


def test_start_to_ready_is_quick(start):
    began = time.monotonic()
    gw = start()
    took = time.monotonic() - began
    assert took < (10 if gw.sanitized() else 0.5)


def test_idle_memory_is_small(start):
    gw = start()
    if gw.sanitized():
        pytest.skip("a sanitizer's memory says nothing about ours")
    assert gw.rss_kb < 12 << 10


def test_memory_comes_back_after_load(start, upstream):
    gw = start()
    if gw.sanitized():
        pytest.skip("a sanitizer's memory says nothing about ours")

    def load() -> None:
        with gw.client() as client:
            for _ in range(500):
                client.chat("good")
                client.stream("good").rest()
    load()
    before = gw.rss_kb
    load()
    load()
    assert gw.rss_kb - before < 1 << 10


def test_descriptors_come_back(start, upstream):
    gw = start()

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{gw.process.pid}/fd"))
    model = upstream.play(misbehaviour.drip(100, 0.02))
    gw.chat("good")
    before = descriptors()
    for _ in range(40):
        client = gw.client()
        client.send(raw.chat_bytes(model, stream=True))
        raw.Stream(client).next()
        client.close()
    until(lambda: descriptors() <= before + 2, 5, "closed descriptors")
