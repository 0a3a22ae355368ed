"""The real binary under test: starts it on a configuration, looks at it from outside, stops it.

`SLUICE_BIN` names the binary; otherwise the sanitizer build is taken, then the release build. A
gateway that did not end with exit code 0, or said anything in a sanitizer's voice, fails the test
that stops it.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import raw
from free_port import free_port
from misbehaviour import SCRIPTS
from upstream import SLOTS, slot_name, until

ROOT = Path(__file__).resolve().parents[2]
CANARY = "sk-canary-7d1f0c5e9b-provider-credential"
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|"
                       r"Assertion .* failed|stack smashing|double free")


def binary() -> Path:
    """The binary to test. A test that needs one is skipped when nothing was built."""
    if "SLUICE_BIN" in os.environ:
        return Path(os.environ["SLUICE_BIN"]).resolve(strict=True)
    for built in ("build/test/src/sluice", "build/sluice"):
        if (ROOT / built).is_file():
            return ROOT / built
    pytest.skip("nothing built: scripts/test builds it, or SLUICE_BIN names one")


def environment(**more: str) -> dict[str, str]:
    """The test's environment without provider keys and sluice's own variables."""
    kept = {k: v for k, v in os.environ.items()
            if not k.endswith("_API_KEY") and not k.startswith("SLUICE_") and k != "NOTIFY_SOCKET"}
    kept.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    kept.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=99")
    return kept | more


def run(*args: str, stdin: bytes | None = None, env: dict | None = None, cwd=None,
        timeout: float = 30) -> subprocess.CompletedProcess:
    """One command line of the product, to its end; output as text."""
    done = subprocess.run([str(binary()), *args], input=stdin, capture_output=True,
                          env=env or environment(), cwd=cwd, timeout=timeout)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


def merged(base: dict, over: dict) -> dict:
    """`over` on top of `base`, member by member; None removes."""
    out = dict(base)
    for name, value in over.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict) and isinstance(out.get(name), dict):
            out[name] = merged(out[name], value)
        else:
            out[name] = value
    return out


def models_of(provider: str) -> dict:
    """Every model name a script may be played under, all of one provider."""
    names = [slot_name(n) for n in range(SLOTS)] + list(SCRIPTS)
    return {name: {"provider": provider, "upstream_model": name} for name in names}


def configuration(port: int, upstream_url: str | None, **over) -> dict:
    """A small working configuration: one api listener, one key, one provider with canary key."""
    config = {
        "version": 1,
        "listeners": [{"name": "api", "address": f"127.0.0.1:{port}",
                       "serves": ["api", "health", "metrics"]}],
        "keys": [{"name": "dev", "secret": raw.KEY, "models": ["*"]}],
        "store": {"url": "memory:"},
        "observability": {"access_log": "stdout", "log": {"level": "info", "format": "json"}},
    }
    if upstream_url is not None:
        config["providers"] = {"up": {"protocol": "openai", "base_url": upstream_url,
                                      "api_key": CANARY}}
        config["models"] = models_of("up")
    return merged(config, over)


class Gateway:
    def __init__(self, directory: Path, upstream_url: str | None = None, *,
                 config: dict | None = None, port: int | None = None,
                 args: tuple[str, ...] = (), env: dict | None = None, **over):
        """`over` changes members of `configuration`; `config` replaces it; both may name a port."""
        self.directory = directory
        self.port = port or free_port()
        self.file = directory / "sluice.yaml"
        self.config = config if config is not None \
            else configuration(self.port, upstream_url, **over)
        self.args = args
        self.env = environment(**(env or {}))
        self.process: subprocess.Popen | None = None
        self.stdout_file = directory / "stdout.log"
        self.stderr_file = directory / "stderr.log"

    # Life.

    @classmethod
    def bare(cls, directory: Path) -> "Gateway":
        """Started with an address and nothing else: no file, no provider, no key."""
        gw = cls(directory, config={})
        gw.launch("serve", "--listen", f"127.0.0.1:{gw.port}")
        gw.wait_ready()
        return gw

    def start(self, wait: bool = True) -> "Gateway":
        self.directory.mkdir(parents=True, exist_ok=True)
        self.write_config()
        self.launch("serve", "--config", str(self.file), *self.args)
        if wait:
            self.wait_ready()
        return self

    def launch(self, *args: str, through: tuple[str, ...] = (), pass_fds: tuple = ()) -> None:
        """`through` is a command that runs the one after it, such as sh -c 'exec "$0" "$@"'."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.stdout_file, "ab") as out, open(self.stderr_file, "ab") as err:
            self.process = subprocess.Popen(
                [*through, str(binary()), *args], stdout=out, stderr=err, env=self.env,
                cwd=self.directory, pass_fds=pass_fds)

    def write_config(self, config: dict | None = None) -> None:
        """JSON is YAML; a new file replaces the old one in one step."""
        if config is not None:
            self.config = config
        text = self.config if isinstance(self.config, str) else json.dumps(self.config, indent=1)
        beside = self.file.with_suffix(".next")
        beside.write_text(text)
        beside.chmod(0o600)  # it holds secrets, and a file for everybody is warned about
        beside.replace(self.file)

    def wait_ready(self, timeout: float = 15) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"exit {self.process.returncode} at start:\n{self.log()}")
            with contextlib.suppress(OSError, raw.Closed):
                if self.get("/readyz").status == 200:
                    return
            time.sleep(0.01)
        raise AssertionError("never ready:\n" + self.log())

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def reload(self, config: dict | str | None = None) -> None:
        self.write_config(config)
        self.signal(signal.SIGHUP)

    def stop(self, timeout: float = 40) -> None:
        """SIGTERM, then everything a clean end means."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        self.wait_exit(timeout)

    def wait_exit(self, timeout: float = 40, expected: int = 0) -> None:
        process, self.process = self.process, None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"did not end within {timeout} s:\n{self.log()[-4000:]}") from None
        said = SANITIZER.search(self.log())
        assert not said, self.log()[said.start():said.start() + 6000]
        assert code == expected, f"exit code {code}:\n{self.log()[-4000:]}"

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    # Asking it.

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self, **options) -> raw.Client:
        return raw.Client(self.address, **options)

    def ask(self, data: bytes, **options) -> raw.Response:
        """One request on its own connection."""
        with self.client(**options) as client:
            return client.ask(data)

    def chat(self, model: str, text: str = "hello", **more) -> raw.Response:
        return self.ask(raw.chat_bytes(model, text, **more))

    def get(self, target: str, key: str | None = raw.KEY, headers=()) -> raw.Response:
        return self.ask(raw.request_bytes("GET", target, None, headers, key))

    def metrics(self) -> dict[str, float]:
        """Every sample: `name{labels}` to its value."""
        text = self.get("/metrics", key=None).body.decode()
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all samples of a name that carry these labels."""
        total = 0.0
        for sample, value in self.metrics().items():
            if sample.partition("{")[0] == name and \
                    all(f'{k}="{v}"' in sample for k, v in labels.items()):
                total += value
        return total

    def connected(self) -> "Gateway":
        """With its store there: until then it counts by itself, and gives no credit."""
        if self.config["store"]["url"].startswith("redis"):
            until(lambda: "store connected" in self.log(), what="the connection to Redis")
        return self

    # Looking at it.

    def log(self) -> str:
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    def output(self) -> str:
        """Everything it has said anywhere."""
        return self.log() + self.stdout_file.read_text(errors="replace")

    def records(self) -> list[dict]:
        """The access log so far."""
        lines = self.stdout_file.read_bytes().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def record_of(self, request_id: str, timeout: float = 5) -> dict:
        def find():
            return [r for r in self.records() if r.get("request_id") == request_id]
        found = until(find, timeout, f"the access record of {request_id}")
        assert len(found) == 1, found
        return found[0]

    def status_of(self, field: str) -> int:
        """A number out of /proc: VmRSS in kB, Threads, …"""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M).group(1))

    @property
    def rss_kb(self) -> int:
        return self.status_of("VmRSS")

    @property
    def peak_kb(self) -> int:
        return self.status_of("VmHWM")

    def sanitized(self) -> bool:
        """Whether this binary carries ASan, whose memory says nothing about ours."""
        return b"__asan_init" in binary().read_bytes()
