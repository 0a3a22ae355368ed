"""The documentation and the code say the same: names that one of them has, the other has, too."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

import raw
from gateway import ROOT, run

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("**/*.md")]


def text_of(path: str) -> str:
    return (ROOT / path).read_text()


def section(page: str, title: str) -> str:
    """What stands under a heading, up to the next one of its rank."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", text_of(page), re.M | re.S)
    assert found, f"{page} has no section {title!r}"
    return found.group(2)


def rows(markdown: str) -> list[list[str]]:
    """The cells of every table row."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")]
            for line in markdown.splitlines() if line.startswith("| `") or line.startswith("| G")
            or line.startswith("| P") or line.startswith("| DELETE") or re.match(r"\| \d", line)]


def quoted(markdown: str) -> list[str]:
    """What stands in single backticks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S))


# What operators see.

def families(gateway) -> dict[str, set[str]]:
    """Metric families on /metrics with the labels of their samples."""
    text = gateway.get("/metrics", key=None).body.decode()
    found = {name: set() for name in re.findall(r"^# TYPE (\S+)", text, re.M)}
    for name, labels in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.*)\}", text, re.M):
        if name in found:
            found[name] |= set(re.findall(r'(\w+)="', labels)) - {"le"}
    return found


def test_every_metric_is_documented_with_its_labels(gateway):
    gateway.chat("good", stream=True)
    documented = {quoted(row[0])[0]: set(quoted(row[2])) if row[0].startswith(("`sluice", "`gen_ai")) else set()
                  for row in rows(section("docs/operations.md", "Metrics"))}
    served = families(gateway)
    assert set(served) == set(documented)
    assert {n: labels for n, labels in served.items() if labels} == \
        {n: labels for n, labels in documented.items() if labels}


def test_every_field_of_a_record_is_documented():
    source = text_of("src/exchange/access_record.c")
    inside_attempts = {"result", "ms", "estimated_cost_pd"}
    written = set(re.findall(r'\\"([a-z_0-9]+)\\":', source)) - inside_attempts
    documented = {field for row in rows(section("docs/operations.md", "Access log"))
                  for field in quoted(row[0])}
    assert written == documented


def test_a_record_has_documented_fields_only(gateway):
    answer = gateway.ask(raw.request_bytes("POST", "/v1/chat/completions", raw.chat_body("good"),
                                           (("X-Request-Id", "mine"),)))
    record = gateway.record_of(answer.headers["x-request-id"])
    documented = quoted(section("docs/operations.md", "Access log"))
    assert set(record) <= set(documented)


@pytest.mark.parametrize("function", ["outcome_name", "attempt_result_name"])
def test_words_in_labels_are_documented(function):
    body = re.search(rf"{function}\(.*?\{{(.*?)\}};", text_of("src/exchange/instruments.c"), re.S)
    words = re.findall(r'"(\w+)"', body.group(1))
    assert words and set(words) <= set(quoted(text_of("docs/operations.md")))


def test_what_troubleshooting_quotes_is_said_somewhere():
    """The longest part of each message that no value is put into."""
    source = "".join(f.read_text() for f in (ROOT / "src").rglob("*.c"))
    source = re.sub(r'"\s+"', "", source).replace('\\"', '"')
    for row in rows(section("docs/operations.md", "Troubleshooting")):
        for message in quoted(row[0]):
            parts = re.split(r"…|: |\(timeouts\.\w+|/chat/completions|\bwithin\b|"
                             r"[\w.:]*\d[\w.:]*|\bN\b", message)
            fixed = max(parts, key=len)
            assert fixed.strip() in source, message


# What clients see.

def test_every_path_is_documented():
    served = set(re.findall(r'\{METHOD_(\w+), "([^"]+)"', text_of("src/api/table.c")))
    documented = {(row[0], path) for row in rows(section("docs/api.md", "Endpoints"))
                  if row[0] in ("GET", "POST", "DELETE", "PATCH") for path in quoted(row[1])}
    assert served == documented


def test_every_error_is_documented_with_its_status():
    """Those that some file makes; the table of words may hold more."""
    words = {kind: (status, name) for kind, status, name in
             re.findall(r'\[(FAULT_\w+)\] = \{(\d+), "(\w+)"', text_of("src/codec/fault.c"))}
    made = {kind for file in (ROOT / "src").rglob("*.c")
            for kind in re.findall(r"(?:kind = |return |, )(FAULT_\w+)[,;} ]", file.read_text())}
    documented = {(status, name) for row in rows(section("docs/api.md", "Errors"))
                  for status in re.findall(r"\d+", row[0]) for name in quoted(row[1])}
    assert {words[kind] for kind in made} <= documented


def test_every_field_of_an_answer_is_documented():
    ours = set(re.findall(r"\b(X-[\w-]+|Server-Timing): ", text_of("src/exchange/answer.c")))
    assert len(ours) > 5 and ours <= set(quoted(section("docs/api.md", "Fields of an answer")))


def test_default_limits_are_those_of_the_reference():
    defaults = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `([^`]+)` \|",
                               section("docs/configuration.md", "server"), re.M))
    assert defaults["body_max"] == "64MiB" and "64 MiB" in section("docs/api.md", "Limits")
    assert defaults["header_max"] == "64KiB" and "64 KiB" in section("docs/api.md", "Limits")
    assert defaults["connections_max"] == "20000" and "20,000" in section("docs/api.md", "Limits")


# What readers of the code see.

def test_the_way_of_a_request_names_functions_that_exist():
    lines = re.findall(r"^ (\w+/\w+\.c) +(\w+)", text_of("docs/architecture.md"), re.M)
    assert len(lines) > 15
    missing = [f"{file}: {name}" for file, name in lines
               if not re.search(rf"^[^ /#].*\b{name}\(", text_of(f"src/{file}"), re.M)]
    assert not missing


# What everybody sees.

def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def complete_files() -> list:
    """Every file of the documentation that says it is one."""
    found = [(page, n, block) for page in PAGES for n, block in
             enumerate(re.findall(r"^```yaml\n(version: 1\n.*?)```", page.read_text(), re.M | re.S))]
    return [pytest.param(block, id=f"{page.relative_to(ROOT)}-{n}") for page, n, block in found]


@pytest.mark.parametrize("block", complete_files())
def test_configurations_in_the_documentation_are_good(block, tmp_path):
    file = tmp_path / "sluice.yaml"
    file.write_text(block)
    done = run("check", "-c", str(file), "--no-secrets")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*/*.yaml")),
                         ids=lambda p: p.parent.name)
def test_configurations_of_the_examples_are_good(file):
    if "apiVersion:" in file.read_text():
        pytest.skip("Kubernetes reads this one")
    done = run("check", "-c", str(file), "--no-secrets")
    assert done.returncode == 0, done.stdout + done.stderr
