"""Runs the rows: contenders take turns within a round, rounds repeat, nothing is averaged here."""

import os
import signal
import statistics
import subprocess
import time
import urllib.error
import urllib.request

from . import contenders, machine, rows, tools


def say(text):
    print(f"bench: {text}", flush=True)


class Bench:
    """One run: an upstream, the contenders, and what was measured so far."""

    def __init__(self, names, rounds, seconds, port_base):
        self.rounds, self.seconds, self.port_base = rounds, seconds, port_base
        self.gateway_core, self.load_core = machine.two_cores()
        self.descriptors = machine.raise_descriptors()
        self.upstreams = {}
        self.contenders = [contenders.KINDS[name](name, port_base + 10 + i, port_base)
                           for i, name in enumerate(names)]
        self.results = {}  # row → contender → figure → [one value a round]
        self.failed = {}   # contender, or "contender in row" → why, said once

    # ---- what runs beside the contenders ----

    def start_upstream(self, tls=False):
        port = self.port_base + (1 if tls else 0)
        command = [tools.path("bench-upstream"), "--listen", f"127.0.0.1:{port}"]
        if tls:
            files = tools.certificate()
            command += ["--cert", files["cert"], "--key", files["key"]]
        if machine.accepts(port):
            raise SystemExit(f"bench: port {port} is taken (--port-base)")
        process = machine.spawn(command, self.load_core, subprocess.DEVNULL)
        if not machine.wait_accepting(port, process, 5):
            raise SystemExit("bench: the upstream did not start")
        self.upstreams[tls] = process

    def close(self):
        for one in self.contenders:
            one.stop()
        for process in self.upstreams.values():
            machine.stop(process)

    # ---- keeping figures ----

    def note(self, row, contender, figures):
        for name, value in figures.items():
            place = self.results.setdefault(row, {}).setdefault(contender, {})
            place.setdefault(name, []).append(value)

    def drop(self, contender, why):
        """A contender that fails is named in the report, and the others go on."""
        say(f"{contender.name}: {why}")
        self.failed.setdefault(contender.name, str(why))
        contender.stop()

    # ---- rows of load ----

    def _place(self, contender, cores):
        core = self.gateway_core
        for process in self.upstreams.values():
            machine.pin(process.pid, core if cores == "one" else self.load_core)
        if contender.process is not None:
            machine.pin(contender.process.pid, core)
        return core if cores == "one" else self.load_core

    def run_once(self, row, contender):
        """One turn's figures; None when no answer at all was right."""
        seconds = max(self.seconds / 2 if contender.heavy else self.seconds, row.least_seconds)
        options = row.options_for(contender, seconds) + ["--seconds", seconds]
        load_core = self._place(contender, row.cores)
        got = tools.load(contender.load_options(row.upstream) + options, load_core,
                         contender.pids())
        if got["errors"] and not got["latency_us"]["count"]:
            why = f"{got['errors']} errors and no good answer: {got['first_error']}"
            say(f"{row.name} {contender.name}: {why}")
            self.failed[f"{contender.name} in {row.name}"] = why
            return None
        figures = {
            "errors": got["errors"] + got["unfinished"],
            "requests_per_s": got["requests_per_s"],
            "latency_p50_us": got["latency_us"]["p50"],
            "latency_p99_us": got["latency_us"]["p99"],
        }
        cpu = got.get("cpu_us")
        if cpu is not None and got["requests"]:
            figures["cpu_us_per_request"] = cpu / got["requests"]
        if got["chunks"]:
            figures.update(chunks_per_s=got["chunks_per_s"],
                           chunk_p50_us=got["chunk_us"]["p50"],
                           chunk_p99_us=got["chunk_us"]["p99"])
            if got["ttft_us"]["count"]:
                figures.update(ttft_p50_us=got["ttft_us"]["p50"], ttft_p99_us=got["ttft_us"]["p99"])
            if cpu is not None:
                figures["cpu_us_per_chunk"] = cpu / got["chunks"]
        if figures["errors"]:
            say(f"{row.name} {contender.name}: {figures['errors']} errors: {got['first_error']}")
        return figures

    def start_all(self):
        for one in self.contenders:
            try:
                one.start(self.gateway_core)
                self._prove(one)
            except (RuntimeError, subprocess.TimeoutExpired) as why:
                self.drop(one, why)
                continue
            if one.heavy:
                one.freeze(True)

    def _prove(self, contender):
        """Twenty complete answers before anything is measured."""
        got = tools.load(contender.load_options() + ["--mode", "chat", "--connections", 2,
                                                     "--requests", 20, "--seconds", 30,
                                                     "--timeout", 20], self.load_core)
        if got["errors"] or got["requests"] != 20:
            raise RuntimeError(f"wrong answers: {got['first_error']}, {got['requests']} of 20")

    def stop_all(self):
        for one in self.contenders:
            one.stop()

    def run_rows(self, chosen):
        if not chosen:
            return
        self.start_all()
        for row in chosen:
            for number in range(self.rounds):
                for one in self.contenders:
                    if one.name in self.failed or (one.heavy and row.heavy is None):
                        continue
                    if one.special if row.only is None else one.name not in row.only:
                        continue
                    if f"{one.name} in {row.name}" in self.failed:
                        continue
                    self._one_turn(row, one)
                shown = self._shown(row)
                say(f"{row.name} round {number + 1}/{self.rounds}  {row.figure}: {shown}")
        self.stop_all()

    def _one_turn(self, row, one):
        if one.heavy:
            one.freeze(False)
        try:
            figures = self.run_once(row, one)
            if figures is not None:
                self.note(row.name, one.name, figures)
        except (RuntimeError, subprocess.TimeoutExpired) as why:
            self.drop(one, why)
        if one.heavy:
            one.freeze(True)

    def _shown(self, row):
        parts = []
        for name, figures in self.results.get(row.name, {}).items():
            if row.figure in figures:
                parts.append(f"{name} {figures[row.figure][-1]:.1f}")
        return "  ".join(parts)

    # ---- memory ----

    def run_memory(self, chosen):
        # Every stream is two descriptors of the gateway, and kept connections linger beside them.
        most = (self.descriptors - 1500) // 2
        for row in chosen:
            streams = min(row.streams, most)
            if streams < row.streams:
                say(f"{row.name}: {streams} streams: the limit on descriptors is "
                    f"{self.descriptors}")
            for one in self.contenders:
                if one.name == "direct" or one.heavy or one.special or one.name in self.failed:
                    continue
                if row.tls and not one.speaks_tls:
                    continue
                self._memory_of(row, one, streams)

    def _memory_of(self, row, one, streams):
        """A fresh process, warmed by ordinary requests so that only the streams are counted."""
        fresh = type(one)(one.name, one.port, self.port_base + (1 if row.tls else 0), tls=row.tls)
        try:
            fresh.start(self.gateway_core)
            self._place(fresh, "own")
            tools.load(fresh.load_options() + ["--mode", "stream", "--requests", 500],
                       self.load_core)
            got = tools.load(fresh.load_options() + row.options(streams), self.load_core,
                             fresh.pids())
            if got["opened"] != streams or got["errors"]:
                raise RuntimeError(f"{got['opened']} of {streams} streams opened, {got['errors']} "
                                   f"errors: {got['first_error']}")
            grown = got["memory"]["rss_kb"] - got["memory_before"]["rss_kb"]
            self.note(row.name, one.name, {
                "kb_per_stream": grown / streams, "streams": streams,
                "rss_mb": got["memory"]["rss_kb"] / 1024,
                "chunk_p50_us": got["chunk_us"]["p50"], "chunk_p99_us": got["chunk_us"]["p99"]})
            say(f"{row.name} {one.name}: {grown / streams:.2f} KB a stream")
        except (RuntimeError, subprocess.TimeoutExpired) as why:
            say(f"{row.name} {one.name}: {why}")
        finally:
            fresh.stop()

    # ---- starting ----

    def run_start(self):
        for one in self.contenders:
            if one.name == "direct" or one.special or one.name in self.failed:
                continue
            for _ in range(1 if one.heavy else max(3, self.rounds)):
                self._start_once(one)
            figures = self.results.get("start", {}).get(one.name)
            if figures:
                say(f"start {one.name}: {statistics.median(figures['start_ms']):.1f} ms, "
                    f"{figures['idle_rss_mb'][-1]:.1f} MB")

    def _start_once(self, one):
        fresh = type(one)(one.name, one.port, one.upstream_port)
        try:
            fresh.launch(self.gateway_core)
            ready = machine.wait_accepting(fresh.port, fresh.process, fresh.start_limit_s,
                                           pause=0.0002)
            if ready and one.name == "sluice":
                ready = _is_ready(fresh.port)
            took_ms = (time.monotonic() - fresh.launched) * 1000
            if not ready:
                raise RuntimeError("did not become ready")
            time.sleep(0.5)
            memory = machine.memory_kb(fresh.process.pid)
            self.note("start", one.name, {"start_ms": took_ms, "idle_rss_mb": memory["Rss"] / 1024,
                                          "idle_pss_mb": memory["Pss"] / 1024})
        except RuntimeError as why:
            say(f"start {one.name}: {why}")
        finally:
            fresh.stop()


def _is_ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False


def run(names, chosen, rounds, seconds, port_base):
    """Measures the chosen rows. Returns (results, failed, whether it came to its end): what was
    measured before an interruption is still worth reading."""
    bench = Bench(names, rounds, seconds, port_base)

    def stop(signum, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    finished = False
    try:
        bench.start_upstream()
        bench.run_rows([row for row in rows.ROWS if row.name in chosen])
        memory = [row for row in rows.MEMORY if row.name in chosen]
        if any(row.tls for row in memory):
            bench.start_upstream(tls=True)
        bench.run_memory(memory)
        if rows.START.name in chosen:
            bench.run_start()
        finished = True
    except KeyboardInterrupt:
        say("stopped")
    finally:
        bench.close()
    return bench.results, bench.failed, finished


def installed(names):
    """The contenders of `names` that are here; says which are not."""
    here = []
    for name in names:
        if contenders.KINDS[name](name, 1, 1).installed():
            here.append(name)
        else:
            say(f"{name} is not installed (bench/run --install) and is left out")
    return here


def versions(names):
    return {name: contenders.KINDS[name](name, 1, 1).version() for name in names}


def log_directory():
    return os.path.join(tools.WORK, "run")
