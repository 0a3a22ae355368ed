"""docs/protocols.md says what the gateway does: its tables are made again and compared."""
from __future__ import annotations

from pathlib import Path

import protocol_table

PAGE = Path(__file__).resolve().parents[2] / "docs/protocols.md"


def test_tables_of_the_page_are_what_happens(protocols, upstream):
    page = PAGE.read_text().splitlines()
    stale = [line for line in protocol_table.tables(protocols, upstream).splitlines()
             if line and line not in page]
    assert not stale, "docs/protocols.md does not say:\n" + "\n".join(stale)
