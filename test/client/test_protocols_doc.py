"""docs/protocols.md says what the gateway does: its tables are made again and compared.

With SLUICE_UPDATE_DOCS=1 in the environment they are written into the page instead.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

import protocol_table

PAGE = Path(__file__).resolve().parents[2] / "docs/protocols.md"


def with_tables(page: str, tables: str) -> str:
    for table in tables.strip().split("\n\n"):
        head = re.escape(table.split("\n", 1)[0])
        page, n = re.subn(head + r"\n(\|.*\n)+", lambda _: table + "\n", page)
        assert n == 1, f"docs/protocols.md has no table headed {head}"
    return page


def test_tables_of_the_page_are_what_happens(protocols, otherwise, upstream, files):
    page = PAGE.read_text()
    tables = protocol_table.tables(protocols, upstream, files)
    choices = protocol_table.choices(protocols, otherwise, upstream, files)
    made = with_tables(with_tables(page, tables), choices)
    assert protocols.metric("sluice_dropped_fields_total") >= tables.count("dropped: ")
    if "SLUICE_UPDATE_DOCS" in os.environ:
        PAGE.write_text(made)
        return
    stale = [line for line in made.splitlines() if line not in page.splitlines()]
    assert made == page, "docs/protocols.md does not say:\n" + "\n".join(stale)
