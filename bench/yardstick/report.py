"""results.json → RESULTS.md and its charts. The remarks are written by hand and kept."""

import json
import os
import re
import statistics

from . import chart, rows, tools

OPEN, CLOSE = "<!-- remarks: written by hand, kept by bench/run -->", "<!-- end of remarks -->"
RESULTS = os.path.join(tools.HERE, "RESULTS.md")
DATA = os.path.join(tools.HERE, "results.json")
CHARTS = os.path.join(tools.HERE, "charts")

COLUMNS = {
    "cpu_us_per_request": ("gateway CPU, µs per request", 1),
    "cpu_us_per_chunk": ("gateway CPU, µs per chunk", 2),
    "requests_per_s": ("requests/s", 0),
    "chunks_per_s": ("chunks/s", 0),
    "latency_p50_us": ("p50, µs", 1),
    "latency_p99_us": ("p99, µs", 1),
    "ttft_p50_us": ("first token p50, µs", 1),
    "ttft_p99_us": ("p99, µs", 1),
    "chunk_p50_us": ("chunk one way p50, µs", 1),
    "chunk_p99_us": ("p99, µs", 1),
    "kb_per_stream": ("KB per stream", 2),
    "rss_mb": ("resident then, MB", 1),
    "streams": ("streams", 0),
    "start_ms": ("start to ready, ms", 1),
    "idle_rss_mb": ("idle RSS, MB", 1),
    "idle_pss_mb": ("idle PSS, MB", 1),
}
NOT_ADDED = ("requests_per_s", "chunks_per_s")


def median(data, row, contender, figure):
    values = data["rows"].get(row, {}).get(contender, {}).get(figure)
    return statistics.median(values) if values else None


def _number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def _ratio(data, row, contender, figure):
    mine, nginx = median(data, row, contender, figure), median(data, row, "nginx", figure)
    return "–" if mine is None or not nginx else f"{mine / nginx:.2f}"


def _spread(data, row, contender, figure):
    values = data["rows"].get(row, {}).get(contender, {}).get(figure)
    if not values or len(values) < 2:
        return "–"
    digits = COLUMNS[figure][1]
    return f"{min(values):,.{digits}f}–{max(values):,.{digits}f}"


def _added(data, row, contender):
    """Latency above direct: what the gateway itself adds."""
    mine, direct = (median(data, row, name, "latency_p50_us") for name in (contender, "direct"))
    return "–" if mine is None or direct is None or contender == "direct" else _number(
        mine - direct, 1)


def _table(data, row, figure, also, with_added):
    heads = ["", COLUMNS[figure][0], "× nginx", "lowest–highest"]
    heads += [COLUMNS[name][0] for name in also] + (["added p50, µs"] if with_added else [])
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for contender in data["contenders"]:
        if contender not in data["rows"].get(row, {}):
            continue
        cells = [contender, _number(median(data, row, contender, figure), COLUMNS[figure][1]),
                 _ratio(data, row, contender, figure), _spread(data, row, contender, figure)]
        cells += [_number(median(data, row, contender, name), COLUMNS[name][1]) for name in also]
        if with_added:
            cells.append(_added(data, row, contender))
        if sum(data["rows"][row][contender].get("errors", [0])):
            cells[0] += " (errors!)"
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _section(data, row, also, with_added=False):
    lines = [f"### {row.title}", ""]
    if row.target:
        lines += [f"Target for sluice: {row.target}.", ""]
    lines += _table(data, row.name, row.figure, also, with_added)
    if row.chart:
        lines += ["", f"![{row.title}](charts/{row.name}.svg)"]
    return lines + [""]


def _write_chart(data, row):
    if not row.chart:
        return
    figures = [(name, median(data, row.name, name, row.figure)) for name in data["contenders"]]
    figures = [(name, value) for name, value in figures if value is not None]
    if figures:
        os.makedirs(CHARTS, exist_ok=True)
        with open(os.path.join(CHARTS, f"{row.name}.svg"), "w") as out:
            out.write(chart.bars(row.title, COLUMNS[row.figure][0], figures))


def _summary(data):
    lines = ["| work | target | sluice | nginx | haproxy | relay | sluice ÷ nginx |",
             "|---|---|--:|--:|--:|--:|--:|"]
    for row in rows.ROWS + rows.MEMORY + [rows.START]:
        if row.name not in data["rows"] or row in rows.PAIR_ROWS:
            continue
        digits = COLUMNS[row.figure][1]
        cells = [f"{row.title} ({COLUMNS[row.figure][0]})", row.target or "–"]
        cells += [_number(median(data, row.name, name, row.figure), digits)
                  for name in ("sluice", "nginx", "haproxy", "relay")]
        lines.append("| " + " | ".join(cells + [_ratio(data, row.name, "sluice", row.figure)])
                     + " |")
    return lines


def _pairs(data):
    """Every pair of protocols: what a chunk costs, and how much later than from the upstream."""
    def cpu(pair, name):
        return median(data, "pair_{}_{}".format(*pair), name, "cpu_us_per_chunk")

    def added(pair, name, figure):
        mine = median(data, "pace_{}_{}".format(*pair), name, figure)
        direct = median(data, "pace_{0}_{0}".format(pair[1]), "direct", figure)
        return None if mine is None or direct is None else mine - direct

    lines = ["### Clients of one protocol on models of another", "",
             "CPU: streams as fast as they go. Added: 8 streams × 40 chunks/s, one way, above what "
             "the upstream's own protocol takes without a gateway. Target for sluice: ≤ 3 µs above "
             "passing, 50 × below the cheapest peer.", "",
             "| client → model | sluice, CPU µs per chunk | LiteLLM | × | sluice, added p50 µs | "
             "p99 | LiteLLM, added p50 µs | p99 |", "|---" + "|--:" * 7 + "|"]
    for pair in rows.PAIRS:
        ours, theirs = cpu(pair, "sluice"), cpu(pair, "litellm")
        name = "{} → {}".format(*pair) + (" (passing)" if pair[0] == pair[1] else "")
        cells = [name, _number(ours, 2), _number(theirs, 0),
                 "–" if not ours or not theirs else f"{theirs / ours:,.0f}"]
        cells += [_number(added(pair, contender, figure), 0)
                  for contender in ("sluice", "litellm")
                  for figure in ("chunk_p50_us", "chunk_p99_us")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines + [""]


def _remarks():
    try:
        with open(RESULTS) as old:
            found = re.search(re.escape(OPEN) + "(.*?)" + re.escape(CLOSE), old.read(), re.S)
    except OSError:
        found = None
    return found.group(1) if found else "\n"


def write(data):
    with open(DATA, "w") as out:
        json.dump(data, out, indent=1)
        out.write("\n")
    m = data["machine"]
    lines = [
        "# Results", "",
        f"Written by `{data['command']}` on {data['date']}; raw figures in `results.json`. How to "
        "read it: [README.md](README.md).", "",
        f"Machine: {m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['system']}, Linux "
        f"{m['kernel']}; load average before: {m['load_before']:.2f}. {data['rounds']} interleaved "
        f"rounds of {data['seconds']:g} s; every figure is the median of its rounds, with the "
        "lowest and highest beside it.", "",
        "Contenders: " + "; ".join(f"{name}: {version}"
                                   for name, version in data["versions"].items()) + ".", "",
    ]
    for name, why in data["failed"].items():
        lines += [f"{name} was left out: {why.splitlines()[0][:200]}.", ""]
    lines += ["## In short", ""] + _summary(data) + ["", OPEN + _remarks() + CLOSE, "",
                                                     "## Row by row", ""]
    for row in rows.ROWS:
        if row.name in data["rows"] and row not in rows.PAIR_ROWS:
            _write_chart(data, row)
            lines += _section(data, row, row.also, "latency_p50_us" in (row.figure, *row.also))
    if any(row.name in data["rows"] for row in rows.PAIR_ROWS):
        lines += _pairs(data)
    for row in rows.MEMORY:
        if row.name in data["rows"]:
            _write_chart(data, row)
            lines += _section(data, row, ("streams", "rss_mb", "chunk_p50_us", "chunk_p99_us"))
    if rows.START.name in data["rows"]:
        lines += _section(data, rows.START, ("idle_rss_mb", "idle_pss_mb"))
    with open(RESULTS, "w") as out:
        out.write("\n".join(lines).rstrip() + "\n")
