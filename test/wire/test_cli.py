"""The verbs, each as a person or a script meets it: wrong ways first, then what it is for."""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

import misbehaviour
import raw
from free_port import free_port
from gateway import CANARY, ROOT, SANITIZER, binary, environment, run
from provider import compact, event
from upstream import Upstream

VERBS = ["serve", "check", "config init", "config show", "config schema", "config reference",
         "keys create", "keys list", "keys show", "keys rotate", "keys revoke", "keys hash", "models", "catalog import",
         "import litellm", "chat", "credit", "status", "usage", "logs", "audit", "healthcheck", "completion",
         "version"]


def chat(url: str, *args: str, key: str | None = raw.KEY, stdin: bytes | None = None, **env: str):
    more = {"SLUICE_BASE_URL": url} | ({"SLUICE_API_KEY": key} if key else {}) | env
    return run("chat", *args, stdin=stdin, env=environment(**more))


def on_terminal(*args: str, typed: list[str], env: dict, until: list[str],
                timeout: float = 20, width: int = 0) -> tuple[int, str]:
    """Runs with a terminal for stdin, stdout and stderr: types each line once the text it waits for
    has come since the last one. Returns the exit code and everything that was shown."""
    pid, fd = pty.fork()
    if pid == 0:
        if width:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        os.execve(str(binary()), ["sluice", *args], env | {"TERM": "xterm"})
    shown, seen, deadline = b"", 0, time.monotonic() + timeout
    lines = list(zip(until, typed, strict=True))
    while time.monotonic() < deadline:
        if lines and lines[0][0].encode() in shown[seen:]:
            seen = len(shown)
            os.write(fd, lines.pop(0)[1].encode())
        if select.select([fd], [], [], 0.1)[0]:
            try:
                shown += os.read(fd, 1 << 16)
            except OSError:  # the other side of a terminal that was closed
                break
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    text = shown.decode(errors="replace")
    assert not lines, (lines, text)
    assert not SANITIZER.search(text), text
    return os.waitstatus_to_exitcode(status), text


# Help and wrong usage.

@pytest.mark.parametrize("args", [(), ("keys",), ("config",)])
def test_half_a_command_prints_help_and_fails(args):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert "--help" in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_80_columns_and_starts_with_examples(verb):
    done = run(*verb.split(), "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.index("Examples") < done.stdout.index("Options")
    assert f"  sluice {verb}" in done.stdout
    assert run("help", *verb.split()).stdout == done.stdout


def test_program_help_names_every_verb():
    done = run("--help")
    assert all(re.search(rf"^  {verb}\b", done.stdout, re.M) for verb in VERBS)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_page_about_the_command_line_is_complete():
    page = (ROOT / "docs/command-line.md").read_text()
    for verb in VERBS:
        assert f"`{verb}" in page, verb
        for variable in re.findall(r"\$(SLUICE_\w+)", run(*verb.split(), "--help").stdout):
            assert f"`{variable}`" in page, variable


@pytest.mark.parametrize("args, meant", [(("srve",), "serve"), (("keys", "hahs"), "hash"),
                                         (("check", "--josn"), "--json")])
def test_typing_mistake_gets_a_suggestion(args, meant):
    done = run(*args)
    assert done.returncode == 2
    assert "did you mean" in done.stderr and meant in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_unknown_option_is_refused_by_every_verb(verb):
    done = run(*verb.split(), "--bogus-option")
    assert done.returncode == (1 if verb == "healthcheck" else 2)
    assert "--bogus-option" in done.stderr and done.stdout == ""


def test_no_colour_outside_a_terminal():
    for args in (("--help",), ("check",), ("models",)):
        assert "\033" not in run(*args).stdout


def test_colour_on_a_terminal_unless_no_color_is_set():
    env = environment()
    env.pop("NO_COLOR", None)
    assert "\033[" in on_terminal("--help", typed=[], until=[], env=env)[1]
    assert "\033[" not in on_terminal("--help", typed=[], until=[], env=env | {"NO_COLOR": "1"})[1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_an_error():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(binary()), "version"], stdout=full, stderr=subprocess.PIPE,
                              env=environment())
    assert done.returncode == 1 and b"stdout" in done.stderr


def test_version_tells_every_library():
    told = json.loads(run("version", "--json").stdout)
    assert set(told["libraries"]) == {"libuv", "llhttp", "mbedtls", "hiredis", "yyjson", "yaml",
                                      "sqlite", "zlib", "pcre2"}
    assert told["revision"] and told["compiler"]


# check.

PROVIDER = "version: 1\nproviders:\n  up: {{ base_url: '{url}', auth: none{more} }}\n" \
           "models:\n  m: {{ provider: up, upstream_model: m }}\n"


def check(directory, url: str, *args: str, more: str = ""):
    file = directory / "sluice.yaml"
    file.write_text(PROVIDER.format(url=url, more=more))
    return run("check", "--config", str(file), *args)


def test_warnings_fail_when_strict(tmp_path):
    (tmp_path / "sluice.yaml").write_text(
        "version: 1\nproviders:\n  up: { base_url: 'https://h/v1', auth: none, "
        "tls: { insecure: true } }\n")
    path = str(tmp_path / "sluice.yaml")
    good, strict = run("check", "-c", path), run("check", "-c", path, "--strict")
    assert good.returncode == 0 and "warning" in good.stderr
    assert strict.returncode == 78


def test_connect_reaches_a_provider_and_asks_it_nothing(tmp_path, upstream):
    before = len(upstream.requests)
    done = check(tmp_path, upstream.base_url, "--connect")
    assert done.returncode == 0, done.stderr
    assert "up: reached, 127.0.0.1" in done.stdout
    assert len(upstream.requests) == before


def test_connect_tells_who_is_not_there(tmp_path):
    done = check(tmp_path, f"http://127.0.0.1:{free_port()}/v1", "--connect")
    assert done.returncode == 69
    assert re.search(r"up: not reached: connect: .*refused", done.stdout), done.stdout


def test_connect_verifies_certificates(tmp_path, authority):
    up = Upstream(tls=authority.issue("checked").server_context()).start()
    try:
        trusted = check(tmp_path, up.base_url, "--connect",
                        more=f", tls: {{ ca: '{authority.file}' }}")
        assert trusted.returncode == 0 and "TLS verified" in trusted.stdout, trusted.stdout
        unknown = check(tmp_path, up.base_url, "--connect", "--json")
        told = json.loads(unknown.stdout)
        assert unknown.returncode == 69
        assert all(f["severity"] == "warning" for f in told["findings"])
        assert told["providers"][0]["stage"] == "tls" and told["providers"][0]["problem"]
    finally:
        up.stop()


def test_connect_does_not_dial_for_a_bad_file(tmp_path, upstream):
    before = len(upstream.connections)
    done = check(tmp_path, upstream.base_url, "--connect", "--json", more=", nonsense: 1")
    assert done.returncode == 78
    assert json.loads(done.stdout)["providers"] == []
    assert len(upstream.connections) == before


# config and models.

def test_written_file_means_what_no_file_means(tmp_path):
    env = environment(OPENAI_API_KEY="sk-from-the-environment-0001")
    made = run("config", "init", env=env)
    assert made.returncode == 0 and "sk-from-the-environment" not in made.stdout
    (tmp_path / "sluice.yaml").write_text(made.stdout)
    assert run("check", "--strict", env=env, cwd=tmp_path).returncode == 0
    with_file = run("models", env=env, cwd=tmp_path).stdout
    (tmp_path / "empty").mkdir()
    assert with_file == run("models", env=env, cwd=tmp_path / "empty").stdout
    assert "openai/" in with_file and "sluice/demo" in with_file


def test_shown_configuration_masks_its_secrets(tmp_path):
    (tmp_path / "sluice.yaml").write_text(
        f"version: 1\nproviders:\n  openai: {{ api_key: {CANARY} }}\n")
    done = run("config", "show", cwd=tmp_path)
    assert done.returncode == 0 and "openai" in done.stdout
    assert CANARY not in done.stdout + done.stderr


def test_bad_configuration_is_not_shown(tmp_path):
    (tmp_path / "sluice.yaml").write_text("version: 1\nnonsense: 1\n")
    for args in (("config", "show"), ("models",)):
        done = run(*args, cwd=tmp_path)
        assert done.returncode == 78 and done.stdout == "" and "nonsense" in done.stderr


def test_schema_and_reference_come_from_the_table():
    schema = json.loads(run("config", "schema").stdout)
    assert schema["$schema"] and "providers" in json.dumps(schema)
    assert "drain" in run("config", "reference").stdout


def test_models_are_listed_with_prices(tmp_path):
    (tmp_path / "sluice.yaml").write_text("""\
version: 1
providers:
  up: { base_url: http://127.0.0.1:1/v1, api_key: { env: SLUICE_WIRE_UNSET } }
models:
  big:
    context: 200000
    endpoints: [{ provider: up, upstream_model: big-1, price: { input: "3.00", output: "0.075" } }]
  fast: { alias: [big] }
""")
    table = run("models", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert re.search(r"^big +up +200000 +3 +0\.075  tools schemas reasoning  -$", table.stdout, re.M), table.stdout
    assert re.search(r"^fast .*alias of big$", table.stdout, re.M)
    told = json.loads(run("models", "--json", cwd=tmp_path).stdout)
    big = next(m for m in told["models"] if m["id"] == "big")
    assert big["context"] == 200000
    assert big["endpoints"][0].pop("facts")["reasoning"] is True
    assert "tools" in big["endpoints"][0].pop("params")
    assert big["endpoints"][0] == {"provider": "up", "slug": "up", "upstream_model": "big-1",
                                   "input_usd_per_million": 3, "output_usd_per_million": 0.075,
                                   "context": 200000, "enabled": True, "stores": True, "trains": True,
                                   "zdr": False}
    assert next(m for m in told["models"] if m["id"] == "fast")["alias"] == ["big"]


def many_models(tmp_path, n: int) -> None:
    (tmp_path / "sluice.yaml").write_text(json.dumps({
        "providers": {"up": {"base_url": "http://127.0.0.1:1/v1", "auth": "none"}},
        "models": {f"laboratory-of-many-words/model-number-{i:04}": {
            "provider": "up", "upstream_model": "m", "context": 1000000, "input": ["text", "image"],
            "data_policy": {"zdr": True}, "price": {"input": "12.345678", "output": "0.5"}}
            for i in range(n)} | {"every": {"alias": [
                f"laboratory-of-many-words/model-number-{i:04}" for i in range(min(n, 12))]}}}))


@pytest.mark.parametrize("n", [1, 500])
def test_models_fit_the_terminal(tmp_path, n):
    many_models(tmp_path, n)
    piped = run("models", cwd=tmp_path).stdout.splitlines()
    rows = [line for line in piped if line.startswith("laboratory")]
    assert len(rows) == n and len({line.index(" up ") for line in rows}) == 1
    assert all(line.endswith("tools schemas reasoning images  zdr") for line in rows)
    for width in (200, 80, 40, 10):
        code, shown = on_terminal("models", "-c", str(tmp_path / "sluice.yaml"), typed=[], until=[],
                                  env=environment(NO_COLOR="1"), width=width)
        lines = shown.replace("\r", "").splitlines()
        assert code == 0 and len([line for line in lines if line.startswith("lab")]) == n
        assert max(map(len, lines)) <= max(width, 50), max(lines, key=len)
    assert "zdr" in piped[1] and "zdr" not in lines[1] and "12.345678" in lines[1]


def test_models_are_found_by_a_part_of_a_name(tmp_path):
    many_models(tmp_path, 20)
    found = run("models", "NUMBER-0007", cwd=tmp_path)
    assert [line.split()[0] for line in found.stdout.splitlines()[1:]] == \
        ["laboratory-of-many-words/model-number-0007"]
    told = json.loads(run("models", "--json", "0007", cwd=tmp_path).stdout)
    assert len(told["models"]) == 1 and told["models"][0]["endpoints"][0]["zdr"] is True
    nothing = run("models", "nothing-of-the-kind", cwd=tmp_path)
    assert nothing.returncode == 1 and nothing.stdout == "" and "nothing-of-the-kind" in nothing.stderr


# Other people's lists of prices.

PRICES = {
    "sample_spec": {"max_tokens": "an explanation"},
    "gpt-tiny": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-07,
                 "output_cost_per_token": 2e-06, "max_input_tokens": 1000, "source": "x",
                 "supports_function_calling": True, "supports_vision": True},
    "groq/openai/gpt-oss-20b": {"litellm_provider": "groq", "mode": "chat",
                                "input_cost_per_token": 7.5e-08},
    "groq/odd": {"litellm_provider": "groq", "mode": "chat", "input_cost_per_token": "cheap"},
}


def priced(tmp_path, *args: str, config: str = "providers: { openai: { api_key: x } }\nauth: none\n"):
    (tmp_path / "sluice.yaml").write_text(config)
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    return run(*args, cwd=tmp_path)


def test_price_list_becomes_models_of_the_providers_there_are(tmp_path):
    for verb in (("catalog", "import"), ("import", "litellm")):
        done = priced(tmp_path, *verb, "prices.json")
        assert done.returncode == 0 and "providers:" not in done.stdout
        assert '"groq/odd": input_cost_per_token' in done.stderr
        assert "1 models at 1 endpoints" in done.stderr
    with (tmp_path / "sluice.yaml").open("a") as file:
        file.write(done.stdout)
    assert run("check", cwd=tmp_path).returncode == 0
    tiny = json.loads(run("models", "--json", "gpt-tiny", cwd=tmp_path).stdout)["models"][0]
    assert tiny["id"] == "openai/gpt-tiny"
    endpoint = tiny["endpoints"][0]
    assert (endpoint["input_usd_per_million"], endpoint["output_usd_per_million"]) == (0.25, 2)
    assert endpoint["input"] == ["text", "image"] and "reasoning" not in endpoint["params"]
    again = run("catalog", "import", "prices.json", cwd=tmp_path)
    assert again.returncode == 1 and "the configuration has already" in again.stderr


def test_price_list_goes_into_a_file_that_is_not_overwritten(tmp_path):
    args = ("catalog", "import", "--all", "prices.json", "-o", "all.yaml")
    assert priced(tmp_path, *args).returncode == 0
    text = (tmp_path / "all.yaml").read_text()
    assert "providers:\n  groq: {}\n" in text and "gpt-tiny" in text
    (tmp_path / "all.yaml").write_text("mine\n")
    refused = priced(tmp_path, *args)
    assert refused.returncode == 1 and "--force" in refused.stderr
    assert (tmp_path / "all.yaml").read_text() == "mine\n"
    assert priced(tmp_path, *args, "--force").returncode == 0
    assert (tmp_path / "all.yaml").read_text() == text


@pytest.mark.parametrize("text,says", [(b"", "not a JSON object"), (b"[1]", "not a JSON object"),
                                       (b'{"a":{}', "not a JSON object"), (None, "cannot read")])
def test_what_is_no_price_list_is_refused(tmp_path, text, says):
    if text is not None:
        (tmp_path / "prices.json").write_bytes(text)
    done = run("catalog", "import", "--all", "prices.json", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == "" and says in done.stderr
    if text is not None:
        assert run("catalog", "import", "-a", "-", stdin=text, cwd=tmp_path).stderr.count(says) == 1


def test_the_list_people_have_passes_check(tmp_path):
    """LiteLLM's own, as its package brings it, where a bench installed that."""
    found = sorted(ROOT.glob("build/bench/**/model_prices_and_context_window_backup.json")) + \
        [Path(p) for p in [os.environ.get("LITELLM_PRICES", "")] if p]
    if not found:
        pytest.skip("no list here; LITELLM_PRICES names one")
    done = run("catalog", "import", "--all", str(found[0]), "-o", "all.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "that are wrong" not in done.stderr
    assert run("check", "--no-secrets", "-c", "all.yaml", cwd=tmp_path).returncode == 0
    assert len(run("models", "-c", "all.yaml", cwd=tmp_path).stdout.splitlines()) > 500


def test_models_say_what_is_known_of_them(tmp_path):
    (tmp_path / "sluice.yaml").write_text("""
providers:
  up: { base_url: 'http://127.0.0.1:1/v1', auth: none, facts: { top_k: true, sampling: false } }
  deepseek: { api_key: x }
models:
  plain: { provider: up, upstream_model: big-1, facts: { sampling: true, short_call_ids: true } }
  known: { provider: deepseek, upstream_model: deepseek-v4-pro }
""")
    told = json.loads(run("models", "--json", cwd=tmp_path).stdout)["models"]
    facts = {m["id"]: {name for name, yes in m["endpoints"][0]["facts"].items() if yes}
             for m in told}
    assert facts["plain"] == {"reasoning", "top_k", "sampling", "short_call_ids",
                              "prompt_cache_key", "json_schema"}
    assert facts["known"] == {"reasoning", "sampling", "replays_reasoning", "effort_max",
                              "prompt_cache_key"}
    shown = run("config", "show", cwd=tmp_path).stdout
    assert "facts: { sampling: false, top_k: true }" in shown
    assert "facts: { sampling: true, short_call_ids: true }" in shown


# keys.

@pytest.mark.parametrize("stdin", [b"", b"\n", b"two words", b"a\nb\n", b"caf\xc3\xa9", b"x" * 5000,
                                   b"nul\0byte"])
def test_what_no_header_can_carry_is_no_key(stdin):
    done = run("keys", "hash", stdin=stdin)
    assert done.returncode == 1 and done.stdout == "" and "a key is" in done.stderr


@pytest.mark.parametrize("stdin", [b"sk-x", b"sk-x\n", b"sk-x\r\n"])
def test_line_end_is_no_part_of_a_key(stdin):
    assert run("keys", "hash", stdin=stdin).stdout == \
        f"sha256:{hashlib.sha256(b'sk-x').hexdigest()}\n"


def test_key_from_a_variable():
    done = run("keys", "hash", "--key-env", "CI_KEY", env=environment(CI_KEY="sk-x"))
    assert done.stdout == f"sha256:{hashlib.sha256(b'sk-x').hexdigest()}\n"
    assert run("keys", "hash", "--key-env", "NOT_SET").returncode == 1


def test_key_typed_at_a_terminal_is_not_shown():
    code, shown = on_terminal("keys", "hash", typed=["sk-typed\n"], until=["Key"],
                              env=environment())
    assert code == 0 and "sk-typed" not in shown, shown
    assert hashlib.sha256(b"sk-typed").hexdigest() in shown


def test_prompt_for_a_key_can_be_interrupted():
    code, shown = on_terminal("keys", "hash", typed=["sk-typed\x03"], until=["Key"],
                              env=environment())
    assert code == 1 and "no key" in shown and "sk-typed" not in shown, shown


def test_mistyped_key_of_ours_is_noticed():
    key = run("keys", "create").stdout.strip()
    assert re.fullmatch(r"sl_live_[0-9A-Za-z]{28}", key)
    assert run("keys", "hash", stdin=key.encode()).stderr == ""
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    done = run("keys", "hash", stdin=wrong.encode())
    assert done.returncode == 0 and "mistake" in done.stderr and wrong not in done.stderr


def test_created_key_works_with_the_printed_lines(start, tmp_path):
    made = run("keys", "create", "-n", "ci")
    digest = re.search(r"sha256:[0-9a-f]{64}", made.stderr).group()
    gw = start(keys=[{"name": "ci", "hash": digest, "models": ["*"]}])
    assert gw.chat("good", key=made.stdout.strip()).status == 200
    assert run("keys", "create", "-n", "two words").returncode == 2


def keys(gw, *args: str, key: str | None = "sk-admin", **env: str):
    more = {"SLUICE_BASE_URL": gw.base_url} | ({"SLUICE_API_KEY": key} if key else {}) | env
    return run("keys", *args, env=environment(**more))


@pytest.fixture
def keeper(start):
    return start(keys=[{"name": "dev", "secret": raw.KEY},
                       {"name": "boss", "secret": "sk-admin", "scope": "admin"}])


def test_key_is_made_at_the_gateway_that_is_named(keeper):
    made = keys(keeper, "create", "-n", "ci", "--rate-limit", "7", "--models", "good,echo",
                "--expires", "2099-12-31", "--budget", "12.50", "--budget-period", "week")
    assert made.returncode == 0, made.stderr
    key, (identity,) = made.stdout.strip(), re.findall(r"key_[0-9a-f]{32}", made.stderr)
    assert re.fullmatch(r"sl_live_[0-9A-Za-z]{28}", key) and key not in made.stderr
    answer = keeper.chat("good", key=key)
    assert answer.status == 200 and answer.headers["x-ratelimit-limit"] == "7"

    shown = json.loads(keys(keeper, "show", identity, "--json").stdout)
    assert [shown[k] for k in ("rate_limit", "models", "expires_at", "budget_usd",
                               "budget_period")] == \
        [7, ["good", "echo"], "2099-12-31T00:00:00.000Z", 12.5, "week"]
    plain = keys(keeper, "show", identity).stdout
    assert re.search(r"^rate_limit +7$", plain, re.M) and "pipeline_id" not in plain

    listed = keys(keeper, "list")
    assert listed.returncode == 0 and key not in listed.stdout
    rows = listed.stdout.splitlines()
    assert rows[0].split()[:2] == ["ID", "NAME"] and len(rows) == 4
    assert rows[1].startswith(identity) and f"{key[:12]}..{key[-4:]}" in rows[1]
    assert "in the file" in rows[2] and "in the file" in rows[3]
    assert [k["name"] for k in json.loads(keys(keeper, "list", "--json").stdout)["data"]] == \
        ["ci", "dev", "boss"]

    rotated = keys(keeper, "rotate", identity, "--overlap", "10m")
    assert rotated.returncode == 0 and "works until" in rotated.stderr
    for secret in (key, rotated.stdout.strip()):
        assert keeper.chat("good", key=secret).status == 200
    assert keys(keeper, "rotate", identity).returncode == 0
    assert keeper.chat("good", key=rotated.stdout.strip()).status == 401

    last = json.loads(keys(keeper, "rotate", identity, "--json").stdout)
    assert keeper.chat("good", key=last["key"]).status == 200
    gone = keys(keeper, "revoke", identity)
    assert gone.returncode == 0 and gone.stdout == "" and identity in gone.stderr
    assert keeper.chat("good", key=last["key"]).status == 401


def test_list_of_keys_is_whole(keeper):
    for n in range(105):
        body = json.dumps({"name": f"k{n}"}).encode()
        assert keeper.ask(raw.request_bytes("POST", "/v1/keys", body,
                                            key="sk-admin")).status == 201
    told = json.loads(keys(keeper, "list", "--json").stdout)["data"]
    assert [k["name"] for k in told] == [f"k{n}" for n in range(104, -1, -1)] + ["dev", "boss"]


def test_key_for_one_pipeline_or_for_managing(start):
    gw = start(keys=[{"name": "boss", "secret": "sk-admin", "scope": "admin"}],
               models={"my-bot": {"provider": "up", "upstream_model": "good"}})
    made = json.loads(keys(gw, "create", "--pipeline", "my-bot", "--json").stdout)
    assert (made["name"], made["scope"], made["pipeline_id"]) == ("default", "pipeline", "my-bot")
    boss = keys(gw, "create", "--admin").stdout.strip()
    assert keys(gw, "list", key=boss).returncode == 0


def test_admin_token_is_taken_before_a_key(start):
    api, admin = free_port(), free_port()
    gw = start(port=api, admin={"token": "admin-token-x"}, listeners=[
        {"name": "api", "address": f"127.0.0.1:{api}", "serves": ["api", "health"]},
        {"name": "admin", "address": f"127.0.0.1:{admin}", "serves": ["admin"]}])
    done = keys(gw, "list", "--url", f"http://127.0.0.1:{admin}", key="sk-other",
                SLUICE_ADMIN_TOKEN="admin-token-x")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("args,code,says", [
    (("show", "key_nobody"), 1, "no key has this id"),
    (("revoke", "key_nobody"), 1, "no key has this id"),
    (("revoke", "../models"), 2, "not the id"),
    (("revoke",), 2, "ID"),
    (("rotate", "key_x", "--overlap", "2d"), 2, "at most a day"),
    (("rotate", "key_x", "--overlap", "soon"), 2, "at most a day"),
    (("create", "--models", "nobody"), 2, "no model is named"),
    (("create", "--models", ""), 2, "needs a value"),
    (("create", "--expires", "tomorrow"), 2, "write a date"),
    (("create", "--rate-limit", "many"), 2, "number of requests"),
    (("create", "--rate-limit", "0"), 2, "from 1"),
    (("create", "--budget", "much"), 2, "US dollars"),
    (("create", "--admin", "--pipeline", "x"), 2, "not for both"),
])
def test_what_is_wrong_about_a_key_is_said(keeper, args, code, says):
    done = keys(keeper, *args)
    assert done.returncode == code and says in done.stderr and done.stdout == "", done.stderr


def test_gateway_that_refuses_or_is_not_there(keeper):
    for key in (None, "sk-wrong", raw.KEY):
        done = keys(keeper, "list", key=key)
        assert done.returncode == 77 and "scope: admin" in done.stderr
    done = keys(keeper, "list", "--url", f"http://127.0.0.1:{free_port()}/v1")
    assert done.returncode == 69


def test_without_a_gateway_keys_are_lines_for_the_file(keeper):
    done = keys(keeper, "create", "--offline")
    assert done.returncode == 0 and "hash:" in done.stderr
    assert keeper.chat("good", key=done.stdout.strip()).status == 401
    done = run("keys", "create", "--rate-limit", "5")
    assert done.returncode == 2 and "--url" in done.stderr


# chat: what goes wrong.

@pytest.mark.parametrize("url", ["", "127.0.0.1:4000", "ftp://h/v1", "http://u:p@h/v1",
                                 "http://h/v1?x=1", "unix:relative"])
def test_unusable_url_is_wrong_usage(url):
    done = run("chat", "m", "hi", f"--url={url}", env=environment())
    assert done.returncode == 2 and done.stdout == ""


def test_key_that_no_header_can_carry_is_refused_unsent(upstream):
    before = len(upstream.requests)
    done = chat(upstream.base_url, "good", "hi", key="sk\r\nX-Evil: 1")
    assert done.returncode == 2 and len(upstream.requests) == before


def test_empty_question_is_wrong_usage(gateway):
    assert chat(gateway.base_url, "good", stdin=b"").returncode == 2


def test_unknown_model_is_told_in_plain_words(gateway):
    done = chat(gateway.base_url, "no-such-model", "hi")
    assert done.returncode == 1 and done.stdout == ""
    assert "no-such-model" in done.stderr and "404" in done.stderr and "{" not in done.stderr


def test_missing_key_says_which_variable(gateway):
    done = chat(gateway.base_url, "good", "hi", key=None)
    assert done.returncode == 77 and "SLUICE_API_KEY" in done.stderr


def test_broken_stream_is_no_success(gateway, upstream):
    done = chat(gateway.base_url, upstream.play(misbehaviour.events_then(3, "reset")), "hello")
    assert done.returncode == 1
    assert done.stdout.startswith("You said:") and "sluice:" in done.stderr


@pytest.mark.parametrize("how", ["reset", "close", "mid chunk", "bad chunk size", "garbage",
                                 "mid event, framing complete", "no finish and no [DONE]",
                                 "error event"])
def test_every_way_of_breaking_off_is_noticed(upstream, how):
    """Without a gateway between: what it would repair reaches the client as it is."""
    done = chat(upstream.base_url, upstream.play(misbehaviour.events_then(3, how)), "hello")
    assert done.returncode == 1, (how, done.stderr)
    assert done.stderr.count("sluice:") == 1


@pytest.mark.parametrize("script", [misbehaviour.html_error, misbehaviour.html_success,
                                    misbehaviour.garbage, misbehaviour.close_before_head,
                                    misbehaviour.whole_truncated, misbehaviour.redirect])
def test_what_is_no_gateway_is_told(upstream, script):
    done = chat(upstream.base_url, upstream.play(script), "hello")
    assert done.returncode in (1, 69) and "sluice:" in done.stderr, (done.returncode, done.stderr)


def test_error_message_cannot_command_a_terminal(upstream):
    async def script(x):
        await x.reply(500, compact({"error": {"message": "\033]0;owned\007\r\nfake line"}}))
    done = chat(upstream.base_url, upstream.play(script), "hello")
    assert done.returncode == 1 and "\033" not in done.stderr and "\nfake" not in done.stderr


# chat: what it is for.

@pytest.mark.parametrize("script", [misbehaviour.byte_by_byte, misbehaviour.one_write,
                                    misbehaviour.crlf, misbehaviour.commented,
                                    misbehaviour.no_done, misbehaviour.informational_first,
                                    misbehaviour.byte_order_mark, misbehaviour.multi_data])
def test_answer_arrives_however_it_is_cut(upstream, script):
    done = chat(upstream.base_url, upstream.play(script), "hello there")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "You said: hello there\n"


def test_question_from_stdin_and_system_text(gateway, upstream):
    done = chat(gateway.base_url, "good", "-s", 'be "kind"', stdin="zwei\nZeilen ü\n".encode())
    assert done.returncode == 0 and done.stdout == "You said: zwei\nZeilen ü\n"
    sent = upstream.seen("good")[-1].json["messages"]
    assert sent == [{"role": "system", "content": 'be "kind"'},
                    {"role": "user", "content": "zwei\nZeilen ü"}]


def test_figures_are_on_stderr_unless_quiet(start):
    gw = start(models={"priced": {"endpoints": [
        {"provider": "up", "upstream_model": "good",
         "price": {"input": "1.00", "output": "2.00"}}]}})
    done = chat(gw.base_url, "priced", "hello")
    assert re.search(r"ttft \d+ ms, .* tokens in, \d+ out, \$0\.0\d+", done.stderr), done.stderr
    assert chat(gw.base_url, "priced", "hello", "--quiet").stderr == ""


def test_conversation_keeps_what_was_said(gateway, upstream):
    env = environment(SLUICE_BASE_URL=gateway.base_url, SLUICE_API_KEY=raw.KEY)
    before = len(upstream.seen("good"))
    code, shown = on_terminal("chat", "good", env=env, until=["ends", "ttft", "ttft", ">"],
                              typed=["one\n", "two\n", "/new\n", "three\n\x04"])
    assert code == 0, shown
    sent = [[m["content"] for m in r.json["messages"]] for r in upstream.seen("good")[before:]]
    assert sent == [["one"], ["one", "You said: one", "two"], ["three"]], shown


def test_failed_question_is_forgotten(gateway, upstream):
    model = upstream.play(misbehaviour.status_then_good(400))
    env = environment(SLUICE_BASE_URL=gateway.base_url, SLUICE_API_KEY=raw.KEY)
    code, shown = on_terminal("chat", model, env=env, until=["ends", "400", "ttft"],
                              typed=["one\n", "one\n", "\x04"])
    assert code == 0, shown
    assert [m["content"] for m in upstream.seen(model)[-1].json["messages"]] == ["one"]


def test_answer_cannot_command_a_terminal(upstream):
    async def script(x):
        await x.stream_head()
        for text in ("safe\033[31m", "\u009b2J\a", " text\n"):
            await x.chunk(event({"choices": [{"index": 0, "delta": {"content": text}}]}))
        await x.chunk(b"data: [DONE]\n\n")
        await x.last_chunk()
    model = upstream.play(script)
    env = environment(SLUICE_BASE_URL=upstream.base_url, NO_COLOR="1")
    code, shown = on_terminal("chat", model, "hi", "-q", typed=[], until=[], env=env)
    assert code == 0 and "safe[31m2J text" in shown and "\033" not in shown, shown
    assert "\033[31m" in chat(upstream.base_url, model, "hi").stdout  # a pipe gets every byte


def test_closed_pipe_ends_the_request(upstream):
    model = upstream.play(misbehaviour.drip(2000, 0.01))
    process = subprocess.Popen([str(binary()), "chat", model, "hi", "--url", upstream.base_url],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(10) == 1
    assert not SANITIZER.search(process.stderr.read().decode())
    process.stderr.close()


def test_over_tls_and_unix_socket(start, authority, tmp_path):
    tls, path = free_port(), str(tmp_path / "api.sock")
    pair = authority.issue("cli-listener")
    port = free_port()
    serves = ["api", "health"]
    start(port=port, listeners=[
        {"name": "api", "address": f"127.0.0.1:{port}", "serves": serves},
        {"name": "unix", "address": f"unix:{path}", "serves": serves},
        {"name": "tls", "address": f"127.0.0.1:{tls}", "serves": serves,
         "tls": {"cert": str(pair.cert), "key": str(pair.key)}}])
    assert chat(f"unix:{path}", "good", "hi").stdout == "You said: hi\n"
    assert chat(f"https://127.0.0.1:{tls}/v1", "good", "hi",
                SLUICE_CA=str(authority.file)).stdout == "You said: hi\n"
    assert chat(f"https://localhost:{tls}", "good", "hi", "--ca", str(authority.file)).returncode == 0
    untrusted = chat(f"https://127.0.0.1:{tls}/v1", "good", "hi")
    assert untrusted.returncode == 69 and "certificate" in untrusted.stderr
    missing = chat(f"https://127.0.0.1:{tls}/v1", "good", "hi", "--ca", "/nonexistent.pem")
    assert missing.returncode == 2 and "/nonexistent.pem" in missing.stderr
    assert run("healthcheck", "--url", f"unix:{path}").returncode == 0


# healthcheck and status.

def test_healthcheck_is_0_or_1(gateway):
    assert run("healthcheck", "--url", gateway.base_url).returncode == 0
    assert run("healthcheck", "--live", "--url", gateway.base_url).returncode == 0
    gone = run("healthcheck", "--url", f"http://127.0.0.1:{free_port()}/v1")
    assert gone.returncode == 1 and "refused" in gone.stderr
    assert run("healthcheck", "--bogus").returncode == 1


def test_healthcheck_does_not_wait_for_ever():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        done = run("healthcheck", "--url", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert done.returncode == 1 and "in time" in done.stderr
        assert time.monotonic() - began < 8


def with_admin(start, token: str | None = None):
    port, admin = free_port(), free_port()
    listeners = [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api", "health"]},
                 {"name": "admin", "address": f"127.0.0.1:{admin}", "serves": ["admin"]}]
    more = {"admin": {"token": token}} if token else {}
    return start(port=port, listeners=listeners, **more), f"http://127.0.0.1:{admin}"


def test_status_in_two_forms(start):
    gw, url = with_admin(start)
    gw.chat("good")
    people = run("status", "--url", url)
    assert people.returncode == 0, people.stderr
    assert "generation 1" in people.stdout and re.search(r"up +0 busy, 1 idle", people.stdout)
    assert json.loads(run("status", "--json", "--url", url).stdout)["draining"] is False


def test_status_needs_an_admin_listener(gateway):
    done = run("status", "--url", gateway.base_url)
    assert done.returncode == 1 and "serves: [admin]" in done.stderr
    gone = run("status", "--url", f"http://127.0.0.1:{free_port()}")
    assert gone.returncode == 69


def test_status_with_a_token(start):
    _, url = with_admin(start, token="admin-token-0123456789")
    wrong = run("status", "--url", url, env=environment(SLUICE_ADMIN_TOKEN="wrong"))
    assert wrong.returncode == 77 and "SLUICE_ADMIN_TOKEN" in wrong.stderr
    right = run("status", "--url", url,
                env=environment(SLUICE_ADMIN_TOKEN="admin-token-0123456789"))
    assert right.returncode == 0, right.stderr
