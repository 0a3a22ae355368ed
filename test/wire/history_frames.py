"""Records of calls as the store keeps them (include/sluice/store/history_record.h): to put many of them
into a file without as many calls."""
from __future__ import annotations

import secrets
import sqlite3
import struct
from pathlib import Path

NUMBERS = ["status", "http_status", "flags", "input", "output", "cached", "cache_write", "reasoning",
           "duration_us", "ttft_us", "overhead_us", "list_pd", "discounted_pd", "final_pd", "byok_pd"]
TEXTS = ["client_request_id", "endpoint_row", "model", "upstream_model", "provider", "endpoint",
         "key_id", "error_type", "finish_reason", "native_finish_reason", "batch_id", "key_name"]


def varint(n: int) -> bytes:
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def text(s: str) -> bytes:
    return varint(len(s.encode())) + s.encode()


def frame(time_ms: int, id: bytes, **values) -> bytes:
    body = b"\x01" + struct.pack(">Q", time_ms) + id
    body += varint(len(NUMBERS)) + b"".join(varint(values.get(n, 0)) for n in NUMBERS)
    body += varint(len(TEXTS)) + b"".join(text(values.get(n, "")) for n in TEXTS)
    body += varint(0)
    return struct.pack("<I", len(body) + 4) + body


def put(file: Path, records: list[dict]) -> list[bytes]:
    """Into the table of a store that was opened once; returns their ids."""
    rows, ids = [], []
    for r in records:
        ids.append(secrets.token_bytes(16))
        rows.append((r["time_ms"], ids[-1], r.get("key_id", ""), r.get("model", ""),
                     r.get("raw") or frame(id=ids[-1], **{k: v for k, v in r.items() if k != "raw"})))
    with sqlite3.connect(file, timeout=10) as db:
        db.executemany("INSERT INTO history (time_ms, id, key_id, model, frame)"
                       " VALUES (?, ?, ?, ?, ?)", rows)
    return ids
