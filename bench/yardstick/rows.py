"""What is measured: one row is one kind of work, the same for every contender.

`figure` is what the row is judged by, as named in measure.py; `also` are the others worth a column.
Cores: "own" pins the gateway to one core, load and upstream to the other; "one" puts all on one,
where no wake-up crosses cores and CPU cost shows as latency.
"""

PAD = 8  # bytes of text in a chunk besides its stamp: a token or two


class Row:
    upstream = "chat"  # what the provider speaks, for contenders that must be told
    least_seconds = 0  # of a turn: percentiles need enough chunks
    beside = None  # the row that says what the same costs without

    def __init__(self, name, title, options, figure, also=(), cores="own", heavy=None,
                 target="", chart=False, only=None):
        self.name, self.title, self.options = name, title, options
        self.only = only  # contenders that can do this; None: all
        self.figure, self.also, self.cores = figure, also, cores
        self.heavy = heavy  # options for the slow peers; None: not for them
        self.target, self.chart = target, chart

    def options_for(self, contender, seconds):
        options = self.heavy if contender.heavy else self.options
        return options(seconds) if callable(options) else options


def _paced(streams, gap_ms):
    """Streams that go on through ramp, warm-up and window, then end by themselves."""
    def options(seconds):
        chunks = int((seconds + 2.5) * 1000 / gap_ms)
        return ["--mode", "stream", "--connections", streams, "--gap", gap_ms * 1000, "--chunks",
                chunks, "--pad", PAD, "--ramp", 1, "--warmup", 0.7]
    return options


WARM = ["--warmup", 0.3]

ROWS = [
    Row("requests", "not streamed, 64 connections",
        ["--mode", "chat", "--connections", 64, *WARM], "cpu_us_per_request",
        ("requests_per_s", "latency_p50_us", "latency_p99_us"),
        heavy=["--mode", "chat", "--connections", 64, *WARM],
        target="≤ 1.0 × nginx; goal 0.8 ×", chart=True),
    Row("stream_fast", "32 streams of 500 chunks, as fast as they go",
        ["--mode", "stream", "--connections", 32, "--chunks", 500, "--pad", PAD, *WARM],
        "cpu_us_per_chunk", ("chunks_per_s",),
        heavy=["--mode", "stream", "--connections", 8, "--chunks", 200, "--pad", PAD, *WARM],
        target="≤ 1.0 × nginx, while metering", chart=True),
    Row("stream_paced", "1,000 streams × 20 chunks/s, gateway on its own core",
        _paced(1000, 50), "cpu_us_per_chunk",
        ("chunks_per_s", "chunk_p50_us", "chunk_p99_us"),
        target="≤ HAProxy; goal 0.72 × nginx", chart=True),
    Row("stream_paced_one", "1,000 streams × 20 chunks/s, all on one core",
        _paced(1000, 50), "cpu_us_per_chunk",
        ("chunks_per_s", "chunk_p50_us", "chunk_p99_us"), cores="one",
        target="≤ HAProxy; goal 0.72 × nginx"),
    Row("sequential", "one connection, one request after the other, all on one core",
        ["--mode", "chat", "--connections", 1, *WARM], "latency_p50_us",
        ("latency_p99_us", "cpu_us_per_request"), cores="one",
        heavy=["--mode", "chat", "--connections", 1, *WARM], target="≤ nginx", chart=True),
    Row("first_token", "time to first token: one short stream after the other, all on one core",
        ["--mode", "stream", "--connections", 1, "--chunks", 4, "--pad", PAD, *WARM], "ttft_p50_us",
        ("ttft_p99_us", "latency_p50_us"), cores="one",
        heavy=["--mode", "stream", "--connections", 1, "--chunks", 4, "--pad", PAD, *WARM]),
    Row("open_loop", "2,000 requests/s whatever happens, latency from the due time",
        ["--mode", "chat", "--connections", 64, "--rate", 2000, *WARM], "latency_p50_us",
        ("latency_p99_us", "cpu_us_per_request")),
    Row("large", "200 KB prompts, 16 connections",
        ["--mode", "chat", "--connections", 16, "--prompt", 200000, *WARM], "cpu_us_per_request",
        ("requests_per_s", "latency_p50_us"), target="≤ HAProxy", chart=True),
    Row("connect", "a new connection each request, 16 at a time",
        ["--mode", "chat", "--connections", 16, "--close", "--sources", 32, *WARM],
        "cpu_us_per_request", ("requests_per_s", "latency_p50_us"), target="≤ nginx"),
]


def _routed(name, title, *more):
    """What a choice among endpoints adds to a request: beside the first row, which has none."""
    row = Row(name, title, ["--mode", "chat", "--model", "bench-five", "--connections", 64, *more,
                            *WARM], "cpu_us_per_request",
              ("requests_per_s", "latency_p50_us", "latency_p99_us"), only=("sluice",))
    row.beside = "requests"
    return row


ROWS += [
    _routed("routed", "five endpoints, first drawn by score, 64 connections"),
    _routed("routed_home", "five endpoints, a conversation that has its home, 64 connections",
            "--header", "X-Session-Id: bench"),
]

COUNTED = Row("counted", "every limit there is, counted in memory and in Redis, 64 connections",
              ["--mode", "chat", "--connections", 64, *WARM], "cpu_us_per_request",
              ("requests_per_s", "latency_p50_us", "latency_p99_us"),
              heavy=["--mode", "chat", "--connections", 64, *WARM],
              only=("sluice", "sluice-limits", "sluice-redis", "litellm", "litellm-redis"))
COUNTED_ALONE = Row("counted_alone", "the same, one request after the other, all on one core",
                    ["--mode", "chat", "--connections", 1, *WARM], "latency_p50_us",
                    ("latency_p99_us", "cpu_us_per_request"), cores="one",
                    heavy=["--mode", "chat", "--connections", 1, *WARM], only=COUNTED.only)
ROWS += [COUNTED, COUNTED_ALONE]

PROTOCOLS = ("chat", "messages", "responses")
PAIRS = [(client, upstream) for client in PROTOCOLS for upstream in PROTOCOLS]


def _spoken(client, upstream):
    return ["--api", client, "--model", "bench" if upstream == "chat" else f"bench-{upstream}"]


def _pair_cpu(client, upstream):
    """A client of one protocol on a model of another: what translating costs, beside passing."""
    spoken = _spoken(client, upstream)
    return Row(f"pair_{client}_{upstream}", f"a {client} client on a {upstream} model",
               ["--mode", "stream", *spoken, "--connections", 32, "--chunks", 500, "--pad", PAD,
                *WARM],
               "cpu_us_per_chunk", ("chunks_per_s",), only=("sluice", "litellm"),
               heavy=["--mode", "stream", *spoken, "--connections", 4, "--chunks", 100, "--pad",
                      PAD, *WARM])


def _pair_latency(client, upstream):
    """The same at a pace nobody is troubled by: how much later a chunk arrives."""
    def options(seconds):
        return [*_paced(8, 25)(seconds), *_spoken(client, upstream)]
    only = ("direct", "sluice", "litellm") if client == upstream else ("sluice", "litellm")
    row = Row(f"pace_{client}_{upstream}",
              f"a {client} client on a {upstream} model, 8 streams × 40 chunks/s", options,
              "chunk_p99_us", ("chunk_p50_us",), only=only, heavy=options)
    row.least_seconds = 3
    return row


# Not streamed, because Portkey's streams fail here; the one pair of protocols it translates.
PAIR_WHOLE = Row("pair_whole", "a chat client on a messages model, not streamed",
                 ["--mode", "chat", *_spoken("chat", "messages"), "--connections", 16, *WARM],
                 "cpu_us_per_request", ("requests_per_s", "latency_p50_us", "latency_p99_us"),
                 heavy=["--mode", "chat", *_spoken("chat", "messages"), "--connections", 16, *WARM],
                 only=("sluice", "litellm", "portkey"),
                 target="50 × below the cheapest peer")
PAIR_WHOLE.upstream = "messages"

PAIR_ROWS = [_pair_cpu(*pair) for pair in PAIRS] + [_pair_latency(*pair) for pair in PAIRS]
ROWS += [PAIR_WHOLE, *PAIR_ROWS]


class Memory:
    """Streams held open, one chunk a second each; KB of resident memory a stream."""

    def __init__(self, name, streams, tls=False, target="", chart=False):
        self.name, self.streams, self.tls, self.target = name, streams, tls, target
        self.chart = chart
        self.figure = "kb_per_stream"
        side = ", TLS on both sides" if tls else ""
        self.title = f"{streams:,} open streams{side}: KB of resident memory each"

    def options(self, streams):
        # Opened slowly: what a burst of handshakes costs is another question than what stays.
        return ["--mode", "stream", "--hold", "--connections", streams, "--gap", 1000000,
                "--chunks", 100000, "--pad", PAD, "--ramp", streams / (125 if self.tls else 1500),
                "--seconds", 3, "--timeout", 60]


MEMORY = [
    Memory("memory_1k", 1000),
    Memory("memory_5k", 5000, target="≤ 4; goal 2", chart=True),
    Memory("memory_10k", 10000),
    Memory("memory_5k_tls", 5000, tls=True, target="≤ 56"),
]


class Startup:
    name = "start"
    title = "start to ready, and memory when idle"
    figure = "start_ms"
    target = "≤ 10 ms; ≤ 5 MiB"
    chart = False


START = Startup()
ALL = [row.name for row in ROWS] + [row.name for row in MEMORY] + [START.name]
