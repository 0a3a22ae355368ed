"""A real redis-server, started by the test on a free port, a unix socket or TLS."""
from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from free_port import free_port


class RedisServer:
    """Speaks just enough RESP to look inside; the gateway is the client under test."""

    def __init__(self, directory: Path, password: str | None = None, tls=None, ca: Path = None):
        self.directory = directory
        self.password = password
        self.tls = tls  # a certificates.Pair
        self.ca = ca
        self.port = free_port()
        self.socket_path = directory / "redis.sock"
        self.process: subprocess.Popen | None = None

    @staticmethod
    def available() -> bool:
        return shutil.which("redis-server") is not None

    def start(self) -> "RedisServer":
        args = ["redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1",
                "--dir", str(self.directory), "--unixsocket", str(self.socket_path),
                "--daemonize", "no", "--loglevel", "warning"]
        if self.tls is None:
            args += ["--port", str(self.port)]
        else:
            args += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no",
                     "--tls-cert-file", str(self.tls.cert), "--tls-key-file", str(self.tls.key),
                     "--tls-ca-cert-file", str(self.ca)]
        if self.password:
            args += ["--requirepass", self.password]
        log = open(self.directory / "redis.log", "ab")
        self.process = subprocess.Popen(args, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if self.command("PING") == "PONG":
                    return self
            except OSError:
                time.sleep(0.01)
        log_text = (self.directory / "redis.log").read_text()
        raise AssertionError("redis-server did not start: " + log_text)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def freeze(self) -> None:
        """Accepts connections, answers nothing: the worst way for a Redis to be ill."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def command(self, *words: str, database: int = 0):
        """One command over the unix socket, in whatever mode the server runs."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.socket_path))
            with s.makefile("rwb") as f:
                if self.password:
                    send(f, "AUTH", self.password)
                if database:
                    send(f, "SELECT", str(database))
                return send(f, *words)

    def keys(self, database: int = 0) -> list[str]:
        return self.command("KEYS", "*", database=database)


def send(f, *words: str):
    f.write(b"*%d\r\n" % len(words))
    for word in words:
        data = word.encode()
        f.write(b"$%d\r\n%s\r\n" % (len(data), data))
    f.flush()
    return read_reply(f)


def read_reply(f):
    line = f.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise OSError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if int(rest) < 0 else f.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return [read_reply(f) for _ in range(int(rest))]
    raise OSError(f"not RESP: {line!r}")
