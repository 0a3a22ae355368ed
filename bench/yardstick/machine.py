"""Processes, cores, ports and limits of the machine we measure on."""

import contextlib
import os
import platform
import resource
import signal
import socket
import subprocess
import time

GATEWAY_CORE = 0
LOAD_CORE = 1


def two_cores():
    """The core of the gateway and that of load and upstream: the first two we may use."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("bench: needs two cores")
    return cores[GATEWAY_CORE], cores[LOAD_CORE]


def raise_descriptors():
    """Lifts the soft limit to the hard one; children inherit it. Returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def on_core(core):
    """What is started in here starts on that core. Children inherit it without code between fork
    and exec, which would keep Python from using vfork and cost more than some of them take to start.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spawn(argv, core, log, env=None, cwd=None):
    """Starts a process on one core, its output in the open file `log`."""
    with on_core(core):
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                cwd=cwd)


def family(pid):
    """The process and all it has started, by way of /proc."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo.extend(children.get(one, []))
    return found


def pin(pid, core):
    """Moves a process, its threads and its children to a core, while they run."""
    for one in family(pid):
        for thread in os.listdir(f"/proc/{one}/task"):
            try:
                os.sched_setaffinity(int(thread), {core})
            except ProcessLookupError:
                pass


def memory_kb(pid):
    """Resident and proportional size over the whole family, in KB."""
    total = {"Rss": 0, "Pss": 0}
    for one in family(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup") as rollup:
                for line in rollup:
                    name = line.split(":")[0]
                    if name in total:
                        total[name] += int(line.split()[1])
        except OSError:
            pass
    return total


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_accepting(port, process, seconds, pause=0.05):
    """Until something listens on the port; False when it ended or time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if accepts(port):
            return True
        if process.poll() is not None:
            return False
        time.sleep(pause)
    return False


def stop(process, seconds=5):
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            for one in family(process.pid):
                os.kill(one, signal.SIGKILL)
            process.wait()


def describe():
    """What a reader needs to judge the figures."""
    model = platform.processor() or "unknown"
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    try:
        with open("/etc/os-release") as release:
            values = dict(line.rstrip("\n").split("=", 1) for line in release if "=" in line)
        system = values.get("PRETTY_NAME", "").strip('"')
    except OSError:
        system = platform.system()
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": system,
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }
