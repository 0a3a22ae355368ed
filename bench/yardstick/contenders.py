"""Who is measured: how each is installed, configured, started and spoken to."""

import json
import os
import shutil
import signal
import subprocess
import time

from . import machine, tools

KEY = "sk-bench-000000000000000000000000000000000000"


class Contender:
    """A gateway between load and upstream. One object is one configuration; start/stop repeat."""

    heavy = False  # a peer that gets the shorter rows, and is stopped while others run
    special = False  # only in the rows that name it
    speaks_tls = False
    start_limit_s = 10

    def __init__(self, name, port, upstream_port, tls=False):
        self.name, self.port, self.upstream_port, self.tls = name, port, upstream_port, tls
        self.directory = os.path.join(tools.WORK, "run", name + ("-tls" if tls else ""))
        self.process = None
        self.launched = None  # time.monotonic() just before the process was made

    # What a kind of contender says about itself.
    def installed(self):
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def command(self):
        """Writes the configuration and returns argv."""
        raise NotImplementedError

    def environment(self):
        return None

    def load_options(self, upstream="chat"):
        """Arguments for the load; `upstream` is the protocol of the model that is asked for."""
        options = ["--to", f"127.0.0.1:{self.port}", "--key", KEY]
        return options + (["--tls"] if self.tls else [])

    # The same for all.
    def prepare(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        return self.command()

    def launch(self, core):
        """Starts the process without waiting for it."""
        argv = self.prepare()
        environment = self.environment()
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.launched = time.monotonic()
            self.process = machine.spawn(argv, core, log, environment, self.directory)

    def start(self, core):
        self.launch(core)
        if not machine.wait_accepting(self.port, self.process, self.start_limit_s):
            self.stop()
            with open(os.path.join(self.directory, "log"), errors="replace") as log:
                raise RuntimeError(f"{self.name} did not start: {log.read()[-600:]}")

    def stop(self):
        if self.process is not None:
            machine.stop(self.process)
            self.process = None

    def pids(self):
        return machine.family(self.process.pid) if self.process else []

    def freeze(self, frozen):
        """A heavy peer does work of its own; it sleeps while another is measured."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def fill(self, template, **values):
        """A template of bench/ with its @NAMES@ replaced, written where the process runs."""
        with open(os.path.join(tools.HERE, template)) as source:
            text = source.read()
        values.update(PORT=self.port, DIR=self.directory)
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        target = os.path.join(self.directory, template)
        with open(target, "w") as out:
            os.fchmod(out.fileno(), 0o600)  # keys are in it, if only for show
            out.write(text)
        return target


def _first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else "?"


class Direct(Contender):
    """No gateway: the load speaks to the upstream."""

    speaks_tls = True

    def installed(self):
        return True

    def version(self):
        return "no gateway"

    def launch(self, core):
        self.process = None

    def start(self, core):
        self.port = self.upstream_port


class Relay(Contender):
    """The floor: bytes from socket to socket."""

    def installed(self):
        return True

    def version(self):
        return "bench/relay.c"

    def command(self):
        return [tools.path("bench-relay"), f"127.0.0.1:{self.port}",
                f"127.0.0.1:{self.upstream_port}"]


class Sluice(Contender):
    speaks_tls = True
    binary = os.path.join(tools.ROOT, "build", "sluice")
    store = "memory:"
    limits = "limits: { rpm: 1000000000 }"

    def installed(self):
        return os.path.exists(self.binary)

    def version(self):
        return _first_line([self.binary, "version"])

    def command(self):
        values = dict(UPSTREAM_URL=f"http://127.0.0.1:{self.upstream_port}", KEY=KEY,
                      LISTENER_TLS="", PROVIDER_TLS="", STORE=self.store, LIMITS=self.limits)
        if self.tls:
            files = tools.certificate()
            values.update(
                UPSTREAM_URL=f"https://localhost:{self.upstream_port}",
                LISTENER_TLS=', tls: {{ cert: "{cert}", key: "{key}" }}'.format(**files),
                PROVIDER_TLS='tls: {{ ca: "{ca}" }}'.format(**files))
        return [self.binary, "serve", "--config", self.fill("sluice.yaml", **values)]


class SluiceLimited(Sluice):
    """All there is to count: requests, tokens and dollars of a key, requests at once, a balance."""

    special = True
    limits = ('limits: { rpm: 1000000000, tpm: 1000000000000, concurrency: 100000 }, '
              'budget: { usd: "1000000", period: total }')


class _OnRedis:
    """A Redis of its own beside it, on the other core; what it takes is not the gateway's CPU."""

    special = True
    redis = None

    @property
    def redis_port(self):
        return self.port + 50

    def installed(self):
        return super().installed() and shutil.which("redis-server") is not None

    def launch(self, core):
        if self.redis is None:
            cores = machine.two_cores()
            other = cores[1] if core == cores[0] else cores[0]
            self.redis = machine.spawn(["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1",
                                        "--save", "", "--appendonly", "no"], other, subprocess.DEVNULL)
            if not machine.wait_accepting(self.redis_port, self.redis, 5):
                raise RuntimeError("redis-server did not start")
        super().launch(core)

    def stop(self):
        super().stop()
        if self.redis is not None:
            machine.stop(self.redis)
            self.redis = None


class SluiceRedis(_OnRedis, SluiceLimited):
    @property
    def store(self):
        return f"redis://127.0.0.1:{self.redis_port}"


class Nginx(Contender):
    speaks_tls = True

    def installed(self):
        return shutil.which("nginx") is not None

    def version(self):
        return _first_line(["nginx", "-v"]).replace("nginx version: ", "")

    def command(self):
        values = dict(UPSTREAM=f"127.0.0.1:{self.upstream_port}", SCHEME="http", LISTEN_TLS="",
                      SERVER_TLS="", PROXY_TLS="",
                      DESCRIPTORS=min(machine.raise_descriptors(), 32768))
        if self.tls:
            files = tools.certificate()
            values.update(
                SCHEME="https", LISTEN_TLS=" ssl",
                SERVER_TLS="ssl_certificate {cert}; ssl_certificate_key {key}; "
                           "ssl_protocols TLSv1.2 TLSv1.3;".format(**files),
                PROXY_TLS="proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; "
                          "proxy_ssl_name localhost; proxy_ssl_server_name on; "
                          "proxy_ssl_protocols TLSv1.2 TLSv1.3;".format(**files))
        return ["nginx", "-p", self.directory, "-e", os.path.join(self.directory, "error.log"),
                "-c", self.fill("nginx.conf", **values)]


class Haproxy(Contender):
    speaks_tls = True

    def installed(self):
        return shutil.which("haproxy") is not None

    def version(self):
        return " ".join(_first_line(["haproxy", "-v"]).split()[:3])

    def command(self):
        values = dict(UPSTREAM=f"127.0.0.1:{self.upstream_port}", BIND_TLS="", SERVER_TLS="",
                      CONNECTIONS=(machine.raise_descriptors() - 200) // 2)
        if self.tls:
            files = tools.certificate()
            values.update(
                BIND_TLS=" ssl crt {both}".format(**files),
                SERVER_TLS=" ssl verify required ca-file {ca} sni str(localhost) "
                           "verifyhost localhost".format(**files))
        return ["haproxy", "-db", "-f", self.fill("haproxy.cfg", **values)]


class Portkey(Contender):
    heavy = True
    start_limit_s = 30
    home = os.path.join(tools.WORK, "portkey", "node_modules", "@portkey-ai", "gateway")

    def installed(self):
        return os.path.exists(self.home) and shutil.which("node") is not None

    def version(self):
        with open(os.path.join(self.home, "package.json")) as package:
            return "Portkey " + json.load(package)["version"]

    def command(self):
        return ["node", os.path.join(self.home, "build", "start-server.js"), f"--port={self.port}",
                "--headless"]

    def load_options(self, upstream="chat"):
        provider = {"chat": "openai", "messages": "anthropic"}[upstream]
        return super().load_options() + [
            "--header", f"x-portkey-provider: {provider}", "--header",
            f"x-portkey-custom-host: http://127.0.0.1:{self.upstream_port}/v1"]


class Litellm(Contender):
    heavy = True
    start_limit_s = 90
    home = os.path.join(tools.WORK, "litellm")

    def installed(self):
        return os.path.exists(os.path.join(self.home, "bin", "litellm"))

    def version(self):
        code = "import importlib.metadata as m; print('LiteLLM', m.version('litellm'))"
        return _first_line([os.path.join(self.home, "bin", "python"), "-c", code])

    def more(self):
        return {}

    def _model(self, name, model, prefix):
        return {"model_name": name, "litellm_params": {
            "model": model, "api_key": "sk-upstream-bench-0123456789",
            "api_base": f"http://127.0.0.1:{self.upstream_port}{prefix}"}}

    def command(self):
        config = os.path.join(self.directory, "config.yaml")
        with open(config, "w") as out:
            json.dump({  # JSON is YAML
                "model_list": [self._model("bench", "openai/bench-1", "/v1"),
                               self._model("bench-messages", "anthropic/bench-1", ""),
                               self._model("bench-responses", "openai/responses/bench-1", "/v1")],
                "general_settings": {"master_key": KEY},
                "litellm_settings": {"telemetry": False, "request_timeout": 600},
            } | self.more(), out)
        return [os.path.join(self.home, "bin", "litellm"), "--config", config, "--host",
                "127.0.0.1", "--port", str(self.port), "--num_workers", "1"]

    def environment(self):
        return {**os.environ, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class LitellmRedis(_OnRedis, Litellm):
    """Counts requests and tokens of its deployments in Redis, which is as far as it goes without a
    database; keys of their own, and budgets, take PostgreSQL besides."""

    def more(self):
        return {"router_settings": {"routing_strategy": "usage-based-routing-v2",
                                    "redis_host": "127.0.0.1", "redis_port": self.redis_port}}

    def _model(self, name, model, prefix):
        made = super()._model(name, model, prefix)
        made["litellm_params"] |= {"rpm": 1000000000, "tpm": 1000000000000}
        return made


class Bifrost(Contender):
    heavy = True
    start_limit_s = 60
    binary = os.path.join(tools.WORK, "bifrost", "bifrost-http")

    def installed(self):
        return os.path.exists(self.binary)

    def version(self):
        done = subprocess.run(["go", "version", "-m", self.binary], capture_output=True, text=True)
        for line in done.stdout.splitlines():
            parts = line.split()
            if parts[:1] == ["mod"]:
                return "Bifrost " + parts[2]
        return "Bifrost"

    def command(self):
        with open(os.path.join(self.directory, "config.json"), "w") as out:
            json.dump({
                "client": {"drop_excess_requests": False, "initial_pool_size": 500,
                           "enable_logging": False},
                "providers": {"openai": {
                    "keys": [{"name": "bench", "value": "sk-upstream-bench-0123456789",
                              "models": ["bench-1"], "weight": 1.0}],
                    "network_config": {"base_url": f"http://127.0.0.1:{self.upstream_port}",
                                       "default_request_timeout_in_seconds": 600},
                    "concurrency_and_buffer_size": {"concurrency": 1000, "buffer_size": 5000},
                }},
                "config_store": {"enabled": False},
                "logs_store": {"enabled": False},
            }, out)
        return [self.binary, "-app-dir", self.directory, "-host", "127.0.0.1", "-port",
                str(self.port), "-log-level", "error"]

    def load_options(self, upstream="chat"):
        return super().load_options() + ["--model", "openai/bench-1"]


KINDS = {
    "direct": Direct, "relay": Relay, "sluice": Sluice, "nginx": Nginx, "haproxy": Haproxy,
    "portkey": Portkey, "litellm": Litellm, "bifrost": Bifrost,
    "sluice-limits": SluiceLimited, "sluice-redis": SluiceRedis, "litellm-redis": LitellmRedis,
}
PEERS = [name for name, kind in KINDS.items() if kind.heavy]


def install(names):
    """Installs contenders from apt, and peers into build/bench/ from where they are published."""
    apt = [package for name, package in (("nginx", "nginx-light"), ("haproxy", "haproxy"))
           if shutil.which(name) is None]
    apt += [] if os.path.exists("/usr/include/openssl/ssl.h") else ["libssl-dev"]
    apt += [] if shutil.which("openssl") else ["openssl"]
    if apt:
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run(sudo + ["apt-get", "update", "-q"], check=True)
        subprocess.run(sudo + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy",
                               "--no-install-recommends", *apt], check=True)
        services = [name for name in ("nginx", "haproxy") if name in " ".join(apt)]
        if services and os.path.isdir("/run/systemd/system"):
            # Debian starts what it installs; we only want the program.
            subprocess.run(sudo + ["systemctl", "disable", "--now", *services])
    os.makedirs(tools.WORK, exist_ok=True)
    recipes = {
        "portkey": [["npm", "install", "--no-audit", "--no-fund", "--prefix",
                     os.path.join(tools.WORK, "portkey"), "@portkey-ai/gateway"]],
        "litellm": [["python3", "-m", "venv", Litellm.home],
                    [os.path.join(Litellm.home, "bin", "pip"), "install", "-q", "litellm[proxy]"]],
        "bifrost": [["env", "GOBIN=" + os.path.dirname(Bifrost.binary), "go", "install",
                     "github.com/maximhq/bifrost/transports/bifrost-http@latest"]],
    }
    for name in names:
        print(f"bench: installing {name}", flush=True)
        for command in recipes[name]:
            try:
                ok = subprocess.run(command).returncode == 0
            except OSError as error:
                print(f"bench: {error}", flush=True)
                ok = False
            if not ok:
                print(f"bench: {name} cannot be installed here and will be left out", flush=True)
                break
