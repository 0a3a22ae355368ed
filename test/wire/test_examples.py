"""Everything in examples/ that can run here, runs here, against the demo model."""
from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import raw
from free_port import free_port
from gateway import ROOT, Gateway, binary, environment

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    gw = Gateway.bare(tmp_path_factory.mktemp("demo"))
    yield gw
    gw.stop()


def finish(demo: Gateway, *command: str, cwd: Path | None = None) -> str:
    env = environment(SLUICE_BASE_URL=demo.base_url, SLUICE_API_KEY="sk-local",
                      PYTHONDONTWRITEBYTECODE="1")
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# curl.

def test_curl_stream(demo):
    out = finish(demo, str(EXAMPLES / "curl/stream.sh"), 'quotes " and \\ and\nlines')
    chunks = [json.loads(line[6:]) for line in out.splitlines()
              if line.startswith("data: {")]
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert 'quotes " and \\ and\nlines' in text
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert out.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("script,expected", [
    ("whole.sh", '"cost":'), ("tools.sh", '"finish_reason":"tool_calls"'),
    ("embeddings.sh", '"embedding":['), ("models.sh", '"id":"sluice/demo"')])
def test_curl_scripts(demo, script, expected):
    assert expected in finish(demo, str(EXAMPLES / "curl" / script))


def test_first_request_of_the_readme(demo):
    readme = (ROOT / "README.md").read_text()
    command = re.search(r"^(curl -N http://127\.0\.0\.1:4000.*?\}'\n)", readme, re.M | re.S).group(1)
    out = finish(demo, "bash", "-c", command.replace("127.0.0.1:4000", f"127.0.0.1:{demo.port}"))
    assert out.count("data: {") > 5 and out.endswith("data: [DONE]\n\n")


# Python.

@pytest.mark.parametrize("script,expected", [
    ("chat.py", "answered by demo"), ("tools.py", "get_weather({}) is"),
    ("cancel.py", "left after 5 chunks"), ("errors.py", "NotFoundError 404 model_not_found")])
def test_python_scripts(demo, script, expected):
    pytest.importorskip("openai")
    assert expected in finish(demo, sys.executable, str(EXAMPLES / "python" / script))


def test_python_of_the_readme(demo, tmp_path):
    pytest.importorskip("openai")
    assert "built-in demo model" in finish(demo, sys.executable, snippet("python", demo, tmp_path))


def snippet(language: str, demo: Gateway, directory: Path) -> str:
    """The README's block in this language, as a file that asks this gateway."""
    block = re.search(rf"^```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.M | re.S)
    file = directory / ("readme.mjs" if language == "js" else "readme.py")
    file.write_text(block.group(1).replace("http://127.0.0.1:4000/v1", demo.base_url))
    return str(file)


# The page in the browser.

SPLIT_EVERYWHERE = """
const wanted = ["one", "two\\nlines", "[DONE]", "ü"];
const feed = (...pieces) => ({ body: new ReadableStream({ start(c) {
  for (const piece of pieces) c.enqueue(piece);
  c.close();
} }) });
for (const end of ["\\n", "\\r\\n", "\\r"]) {
  const bytes = new TextEncoder().encode([": comment", "", "event: x", "data: one", "",
    "data:two", "data: lines", "", "data: [DONE]", "", "data: ü", "", "", ""].join(end));
  for (let at = 0; at <= bytes.length; at++) {
    const got = [];
    for await (const data of events(feed(bytes.slice(0, at), bytes.slice(at)))) got.push(data);
    if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`${at}: ${got}`);
  }
}
"""


def page() -> str:
    return (EXAMPLES / "browser_chat/index.html").read_text()


def test_page_reads_events_however_they_are_cut(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("no node")
    reader = re.search(r"^(async function\* events.*?^\})", page(), re.M | re.S).group(1)
    file = tmp_path / "events.mjs"
    file.write_text(reader + SPLIT_EVERYWHERE)
    subprocess.run(["node", str(file)], check=True, timeout=60)


@pytest.fixture
def chat_page(tmp_path):
    """The gateway with the page's own configuration."""
    port = free_port()
    config = (EXAMPLES / "browser_chat/sluice.yaml").read_text()
    gw = Gateway(tmp_path, config=config, port=port, env={"CHAT_LISTEN": f"127.0.0.1:{port}"})
    yield gw.start()
    gw.stop()


@pytest.mark.parametrize("origin,status", [("http://127.0.0.1:8080", 204), ("http://evil.example", 400)])
def test_page_may_ask_from_its_own_origin_only(chat_page, origin, status):
    answer = chat_page.ask(raw.request_bytes("OPTIONS", "/v1/chat/completions", None, (
        ("Origin", origin), ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type")), key=None))
    assert answer.status == status
    granted = answer.headers.get("access-control-allow-origin")
    assert granted == (origin if status == 204 else None)


STOP = "<script>setTimeout(() => document.getElementById('stop').click(), 200)</script>"


class SlowPage(http.server.BaseHTTPRequestHandler):
    """The page with an image that takes three seconds: a browser is loading until then."""

    extra = ""

    def do_GET(self):
        if self.path.startswith("/later"):
            time.sleep(3)
        body = (page() + self.extra + '<img src="/later" hidden>').encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.skipif("SLUICE_TEST_BROWSER" not in os.environ,
                    reason="SLUICE_TEST_BROWSER names a Chromium to try the page in")
@pytest.mark.parametrize("extra,shown,outcome", [("", "34 tokens", "ok"),
                                                 (STOP, "stopped", "client_gone")])
def test_page_in_a_real_browser(chat_page, tmp_path, extra, shown, outcome):
    """8080 is the port of the origin that the example's configuration lists."""
    handler = type("Page", (SlowPage,), {"extra": extra})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 8080), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dom = subprocess.run(
            [os.environ["SLUICE_TEST_BROWSER"], "--headless", "--no-sandbox", "--disable-gpu",
             f"--user-data-dir={tmp_path}/profile", "--dump-dom",
             f"http://127.0.0.1:8080/?base={chat_page.base_url}&ask=Hello"],
            capture_output=True, text=True, timeout=120).stdout
        server.shutdown()
    log = dom[dom.index('<main id="log"'):dom.index("</main>")]
    assert "This is" in log and shown in log and 'class="error"' not in log, log
    assert outcome in [r["outcome"] for r in chat_page.records() if r["api"] == "chat"]


# A team.

def test_commands_of_a_team(tmp_path):
    """Those of its README, one after the other."""
    port, admin = free_port(), "a-key-to-manage"
    gw = Gateway(tmp_path, config=(EXAMPLES / "team/sluice.yaml").read_text(), port=port, env={
        "TEAM_LISTEN": f"127.0.0.1:{port}", "TEAM_STORE": str(tmp_path / "team.db"),
        "TEAM_ADMIN_KEY": admin, "TEAM_APP_KEY": "a-key-of-the-app", "TEAM_NIGHTLY_KEY": "a-key-of-the-night"})
    (tmp_path / "sluice").symlink_to(binary())
    _, commands = re.findall(r"^```sh\n(.*?)```", (EXAMPLES / "team/README.md").read_text(), re.M | re.S)
    commands = commands.replace("127.0.0.1:4000", f"127.0.0.1:{port}").replace(
        "sluice usage", "sleep 1; sluice usage")  # records are there a moment after the answer
    try:
        gw.start()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands + 'echo "$KEY"'], capture_output=True, text=True, timeout=60,
            env=environment(PATH=f"{tmp_path}:{os.environ['PATH']}", TEAM_ADMIN_KEY=admin))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "built-in demo model" in done.stdout
        quota = json.loads(re.search(r"^\{.*?\}$", done.stdout, re.M | re.S).group(0))
        assert quota["rate_limit"]["limit"] == 30 and quota["budget"]["usd"] == 2
        assert re.search(r"^alice +1 ", done.stdout, re.M), done.stdout
        key = done.stdout.split()[-1]
        assert gw.chat("sluice/demo", key=key).status == 401
        assert gw.chat("sluice/demo", key="a-key-of-the-app").status == 200
    finally:
        gw.stop()


# Two processes on one port.

def test_replicas_share_a_port_and_a_limit(redis, tmp_path):
    port, ops = free_port(), two_free_ports()
    key = "sk-replicas-0123456789"
    env = environment(SLUICE=str(binary()), SLUICE_KEY=key, API_PORT=str(port), OPS_PORT=str(ops),
                      REDIS_URL=f"redis://127.0.0.1:{redis.port}/0")
    with open(tmp_path / "log", "wb") as log:
        both = subprocess.Popen([str(EXAMPLES / "replicas/run"), "2"], env=env, stdout=log,
                                stderr=log)
    try:
        for each in (ops, ops + 1):
            wait_until_ready(each)
        statuses = [raw_status(port, key) for _ in range(12)]
        # Six: the minute may turn between two requests, and then one of the last is forgotten.
        assert statuses.count(200) in (5, 6) and statuses.count(429) == 12 - statuses.count(200)
    finally:
        both.send_signal(signal.SIGTERM)
        assert both.wait(30) == 0, (tmp_path / "log").read_text()


def two_free_ports() -> int:
    """The first of two neighbours, below those that the kernel gives to connections."""
    for port in range(20_000 + os.getpid() % 5000 * 2, 32_000, 2):
        with socket.socket() as one, socket.socket() as other, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 1))
            return port
    raise AssertionError("no two free ports")


def ask(port: int, request: bytes) -> raw.Response:
    with raw.Client(("127.0.0.1", port)) as client:
        return client.ask(request)


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            if ask(port, raw.request_bytes("GET", "/readyz", key=None)).status == 200:
                return
        except (OSError, raw.Closed):
            pass
        assert time.monotonic() < deadline, f"nobody is ready on port {port}"
        time.sleep(0.02)


def raw_status(port: int, key: str) -> int:
    return ask(port, raw.request_bytes("POST", "/v1/chat/completions", raw.chat_body("sluice/demo"),
                                       key=key)).status
