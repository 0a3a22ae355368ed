"""Our own tools: where they are, how they are built without meson, how the load is run."""

import json
import os
import shutil
import subprocess

from . import machine

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(HERE)
WORK = os.path.join(ROOT, "build", "bench")

SOURCES = {
    "bench-upstream": ["upstream.c", "script.c", "timers.c", "options.c", "wire.c", "http.c"],
    "bench-load": ["load.c", "answer.c", "watch.c", "hist.c", "options.c", "wire.c", "http.c"],
    "bench-relay": ["relay.c", "wire.c"],
}


def _is_fresh(binary, sources):
    if not os.path.exists(binary):
        return False
    newest = max(os.path.getmtime(os.path.join(HERE, name)) for name in os.listdir(HERE)
                 if name.endswith((".c", ".h")))
    return os.path.getmtime(binary) >= newest


def build():
    """Compiles what is missing or older than its sources, with the plain compiler."""
    os.makedirs(os.path.join(WORK, "tools"), exist_ok=True)
    for name, sources in SOURCES.items():
        binary = path(name)
        if _is_fresh(binary, sources):
            continue
        compiler = os.environ.get("CC", "cc")
        command = [compiler, "-std=gnu11", "-O2", "-D_GNU_SOURCE", "-o", binary]
        command += [os.path.join(HERE, source) for source in sources] + ["-lssl", "-lcrypto"]
        if subprocess.run(command).returncode != 0:
            raise SystemExit("bench: cannot build the tools (libssl-dev? bench/run --install)")


def path(name):
    return os.path.join(WORK, "tools", name)


def load(options, core, watched=(), seconds_max=180):
    """Runs the load generator on a core and returns its figures."""
    command = [path("bench-load")] + [str(option) for option in options]
    for pid in watched:
        command += ["--watch", str(pid)]
    with machine.on_core(core):
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
    try:
        figures, complaint = running.communicate(timeout=seconds_max)
    finally:
        machine.stop(running)
    if not figures.startswith("{"):
        raise RuntimeError(f"the load generator failed: {complaint.strip()}")
    return json.loads(figures)


def certificate():
    """A CA and a certificate for localhost and 127.0.0.1, made once. Returns their paths."""
    directory = os.path.join(WORK, "tls")
    files = {name: os.path.join(directory, f"{name}.pem") for name in ("ca", "ca-key", "cert",
                                                                        "key", "both")}
    if os.path.exists(files["both"]):
        return files
    os.makedirs(directory, exist_ok=True)
    request = os.path.join(directory, "request.pem")
    names = os.path.join(directory, "names")
    with open(names, "w") as out:
        out.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for command in (
        ["req", "-x509", *curve, "-keyout", files["ca-key"], "-out", files["ca"], "-days", "3650",
         "-subj", "/CN=bench CA"],
        ["req", *curve, "-keyout", files["key"], "-out", request, "-subj", "/CN=localhost"],
        ["x509", "-req", "-in", request, "-CA", files["ca"], "-CAkey", files["ca-key"],
         "-CAcreateserial", "-out", files["cert"], "-days", "3650", "-extfile", names],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    with open(files["both"], "wb") as both:
        for name in ("cert", "key"):
            with open(files[name], "rb") as part:
                shutil.copyfileobj(part, both)
    return files
