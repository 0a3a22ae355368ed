"""The command line: help, check, keys, completion, chat, and starting with no file at all."""
from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess

import pytest

import raw
from free_port import free_port
from gateway import CANARY, Gateway, configuration, environment, run
from promises import assert_whole

FINDING = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+):(?P<col>\d+): (?P<kind>error|warning): "
                     r"(?P<rest>.+)$", re.M)


def check(path, *args: str, text: str | None = None):
    if text is not None:
        path.write_text(text)
    return run("check", "--config", str(path), *args)


def findings(done) -> list[dict]:
    return [m.groupdict() for m in FINDING.finditer(done.stdout + done.stderr)]


# Help.

def test_bare_command_prints_help():
    done = run()
    assert "serve" in done.stdout + done.stderr and "check" in done.stdout + done.stderr


@pytest.mark.parametrize("args", [("--help",), ("-h",), ("serve", "--help"), ("check", "-h"),
                                  ("keys", "--help"), ("chat", "-h"), ("version", "--help"),
                                  ("completion", "--help")])
def test_every_command_explains_itself(args):
    done = run(*args)
    assert done.returncode == 0, done.stderr
    assert "sluice" in done.stdout and len(done.stdout.splitlines()) > 2


@pytest.mark.parametrize("args", [("srve",), ("serve", "--no-such-option"), ("check", "--config"),
                                  ("keys", "nothing"), ("completion", "tcsh")])
def test_wrong_usage_is_exit_2(args):
    done = run(*args)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr and done.stdout == ""


def test_version_in_two_forms():
    assert re.search(r"\d+\.\d+\.\d+", run("version").stdout)
    assert json.loads(run("version", "--json").stdout)["version"]
    assert run("--version").returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_that_shell(shell):
    done = run("completion", shell)
    assert done.returncode == 0 and "sluice" in done.stdout and "serve" in done.stdout
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=done.stdout.encode()).returncode == 0


# check.

def test_good_file_passes(tmp_path):
    config = json.dumps(configuration(free_port(), "http://127.0.0.1:1/v1"))
    done = check(tmp_path / "good.yaml", text=config)
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr


BAD = """\
version: 1
listen: 127.0.0.1:4000
providres:
  up: {}
providers:
  up:
    protocol: openia
    base_url: not a url
    api_key: {env: SLUICE_WIRE_UNSET}
    timeouts: { connect: 3 parsecs }
models:
  a: { provider: nobody, upstream_model: x }
  b: { alias: [missing] }
  a: { provider: up, upstream_model: y }
keys:
  - { name: dev, hash: "sha256:short", models: ["*"] }
  - { name: two, secret: abc, models: [] }
server: { body_max: 10Meg, heder_timeout: 1s }
"""


def test_all_errors_are_told_at_once_with_their_places(tmp_path):
    done = check(tmp_path / "bad.yaml", text=BAD)
    assert done.returncode == 78
    found = {(int(f["line"])) for f in findings(done) if f["kind"] == "error"}
    assert found >= {3, 7, 8, 9, 10, 12, 13, 14, 16, 18}, (found, done.stdout, done.stderr)
    by_line = {int(f["line"]): f["rest"] for f in findings(done)}
    assert "providers" in by_line[3], by_line[3]
    assert "openai" in by_line[7], by_line[7]
    assert all(f["file"].endswith("bad.yaml") for f in findings(done))


def test_columns_point_at_the_value(tmp_path):
    done = check(tmp_path / "bad.yaml", text=BAD)
    by_line = {int(f["line"]): int(f["col"]) for f in findings(done)}
    assert by_line[3] == 1
    assert by_line[7] == BAD.splitlines()[6].index("openia") + 1


@pytest.mark.parametrize("text", [
    "[]", "just text", "version: 2\n", "version: 1\n  bad: indent\n", "a: [1, 2\n", "\tx: 1\n",
    "version: 1\nx: &a [*a]\n", "version: 1\n" + "a: {" * 500, "\x00\x01\x02", "\xff\xfe",
    "version: 1\n? [complex, key]\n: 1\n", "a: 1\na: 2\n", "version: 1\n---\nversion: 1\n",
    "x: &a {b: 1}\n" + "".join(f"y{i}: *a\n" for i in range(2000))])
def test_no_file_content_crashes_it(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_bytes(text.encode("latin-1"))
    done = run("check", "--config", str(path))
    assert done.returncode == 78, (text[:40], done.stdout, done.stderr)
    assert done.stdout + done.stderr


def test_missing_file_is_named(tmp_path):
    done = run("check", "--config", str(tmp_path / "nowhere.yaml"))
    assert done.returncode == 78
    assert "nowhere.yaml" in done.stdout + done.stderr


def test_findings_as_json(tmp_path):
    done = check(tmp_path / "bad.yaml", "--json", text=BAD)
    assert done.returncode == 78
    found = json.loads(done.stdout)
    assert isinstance(found, list) and len(found) >= 10
    assert {f["line"] for f in found} >= {3, 7}


def test_secrets_need_not_be_there_to_check_the_rest(tmp_path):
    text = "version: 1\nproviders:\n  openai: { api_key: { env: SLUICE_WIRE_UNSET } }\n"
    assert check(tmp_path / "s.yaml", text=text).returncode == 78
    assert check(tmp_path / "s.yaml", "--no-secrets", text=text).returncode == 0


def test_no_authentication_is_refused_off_loopback(tmp_path):
    text = "version: 1\nlisten: 0.0.0.0:4000\nauth: none\n"
    done = check(tmp_path / "open.yaml", text=text)
    assert done.returncode == 78
    assert "127.0.0.1" in done.stdout + done.stderr  # where it would be accepted


def test_variables_are_expanded_and_missing_ones_are_errors(tmp_path):
    text = "version: 1\nlisten: 127.0.0.1:${WIRE_PORT}\nproviders:\n" \
           "  up: { base_url: '${WIRE_URL:-http://127.0.0.1:1/v1}', auth: none }\n" \
           "x-note: '$$ stays ${nothing expanded in x}'\n"
    path = tmp_path / "vars.yaml"
    path.write_text(text)
    good = run("check", "--config", str(path), env=environment(WIRE_PORT="4100"))
    assert good.returncode == 0, good.stderr + good.stdout
    bad = run("check", "--config", str(path))
    assert bad.returncode == 78 and "WIRE_PORT" in bad.stdout + bad.stderr


def test_serve_refuses_what_check_refuses(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    done = run("serve", "--config", str(path))
    assert done.returncode == 78
    assert len(findings(done)) >= 10


def test_secrets_of_the_file_are_never_printed(tmp_path):
    text = "version: 1\nproviders:\n  up: { protocol: openai, base_url: 'http://h/v1', " \
           "api_key: sk-printed-never-0001, nonsense: 1 }\nkeys:\n" \
           "  - { name: a, secret: sk-printed-never-0002, models: sk-printed-never-0002 }\n"
    done = check(tmp_path / "s.yaml", text=text)
    assert done.returncode == 78
    assert "printed-never" not in done.stdout + done.stderr


# keys.

def test_hash_of_a_key_is_read_from_stdin():
    done = run("keys", "hash", stdin=b"sk-some-key\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "sha256:" + hashlib.sha256(b"sk-some-key").hexdigest()


def test_hashed_key_works_in_a_gateway(start):
    digest = run("keys", "hash", stdin=b"sk-from-cli").stdout.strip()
    gw = start(keys=[{"name": "cli", "hash": digest, "models": ["*"]}])
    assert gw.chat("good", key="sk-from-cli").status == 200


def test_created_key_is_shown_once_and_only_on_stdout():
    done = run("keys", "create", "--name", "dev")
    assert done.returncode == 0, done.stderr
    secret = done.stdout.strip()
    assert "\n" not in secret and len(secret) > 20
    assert secret not in done.stderr
    assert hashlib.sha256(secret.encode()).hexdigest() in done.stderr
    assert run("keys", "create", "--name", "dev").stdout != done.stdout


# chat.

def test_chat_streams_an_answer_and_tells_its_time(gateway):
    done = run("chat", "good", "hello there",
               env=environment(SLUICE_BASE_URL=gateway.base_url, SLUICE_API_KEY=raw.KEY))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "You said: hello there"
    assert re.search(r"ttft", done.stderr, re.I)
    assert raw.KEY not in done.stdout + done.stderr


def test_chat_tells_what_went_wrong():
    done = run("chat", "good", "hello",
               env=environment(SLUICE_BASE_URL=f"http://127.0.0.1:{free_port()}/v1",
                               SLUICE_API_KEY="x"))
    assert done.returncode == 69, (done.returncode, done.stderr)
    assert done.stderr and done.stdout == ""


def test_chat_with_a_wrong_key_is_refused(gateway):
    done = run("chat", "good", "hello",
               env=environment(SLUICE_BASE_URL=gateway.base_url, SLUICE_API_KEY="sk-wrong"))
    assert done.returncode == 77, (done.returncode, done.stderr)


# With no file at all.

@pytest.fixture
def bare(tmp_path):
    """A gateway that was given an address and nothing else."""
    gw = Gateway.bare(tmp_path / "bare")
    yield gw
    gw.stop()


def test_demo_answers_without_a_file_and_without_a_key(bare):
    answer = bare.chat("sluice/demo", key=None)
    assert answer.status == 200
    assert "demo" in answer.json["choices"][0]["message"]["content"].lower()
    with bare.client() as client:
        events = client.stream("sluice/demo", key=None,
                               stream_options={"include_usage": True}).data()
    text = raw.content_of(events)
    assert_whole(events, text)
    assert len(events) > 4 and events[-2]["usage"]["completion_tokens"] > 0
    with bare.client() as client:
        again = client.stream("sluice/demo", key=None).data()
    assert raw.content_of(again) == text  # deterministic


def test_demo_calls_tools(bare):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
    message = bare.chat("sluice/demo", "weather please", key=None,
                        tools=tools).json["choices"][0]["message"]
    call = message["tool_calls"][0]
    assert call["function"]["name"] == "weather"
    assert isinstance(json.loads(call["function"]["arguments"]), dict)


def test_demo_is_listed(bare):
    assert "sluice/demo" in [m["id"] for m in bare.get("/v1/models", key=None).json["data"]]
