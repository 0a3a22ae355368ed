#!/usr/bin/env python3
"""pack.py OUT.c NAME=FILE.js …: vocabularies as the package js-tiktoken publishes them, made fit to be
linked: OUT.c beside one NAME.z each. Without any NAME=FILE the program has none.

A FILE holds one object: `pat_str`, and `bpe_ranks`: lines "! FIRST TOKEN TOKEN …" of tokens in base64,
numbered from FIRST on."""

import base64
import json
import pathlib
import sys
import zlib

# What a pattern says of white space is what Unicode says; PCRE2's \s means one character more (U+180E).
SPACES = {r"\s": r"\p{White_Space}", r"\S": r"\P{White_Space}"}


def read(path):
    text = pathlib.Path(path).read_text()
    book = json.loads(text[text.index("{") : text.rindex("}") + 1])
    tokens = {}
    for line in book["bpe_ranks"].splitlines():
        _, first, *words = line.split(" ")
        for number, word in enumerate(words, int(first)):
            tokens[number] = base64.b64decode(word)
    return book["pat_str"], [tokens.get(i, b"") for i in range(max(tokens) + 1)]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main():
    out = pathlib.Path(sys.argv[1])
    code, table = [], []
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        pattern, tokens = read(path)
        for theirs, ours in SPACES.items():
            pattern = pattern.replace(theirs, ours)
        raw = bytes(map(len, tokens)) + b"".join(tokens)
        packed = out.with_name(name + ".z")
        packed.write_bytes(zlib.compress(raw, 9))
        code.append(
            f'__asm__(".section .rodata\\n"\n'
            f'        ".global packed_{name}, packed_{name}_end\\n"\n'
            f'        ".hidden packed_{name}, packed_{name}_end\\n"\n'
            f'        "packed_{name}: .incbin {json.dumps(json.dumps(str(packed.resolve())))[1:-1]}\\n"\n'
            f'        "packed_{name}_end: .previous\\n");\n'
            f"extern const uint8_t packed_{name}[], packed_{name}_end[];\n"
        )
        table.append(
            f"    [VOCABULARY_{name.split('_')[0].upper()}] = {{packed_{name}, packed_{name}_end, "
            f"{len(tokens)}, {len(raw)},\n     {quoted(pattern)}}},\n"
        )
    out.write_text(
        f'/* Made by {pathlib.Path(__file__).name}. */\n#include "packed.h"\n\n'
        + "\n".join(code)
        + "\nstatic const struct packed books[VOCABULARIES] = {\n"
        + "".join(table or ["    {0},\n"])
        + "};\n\nconst struct packed *packed_vocabulary(enum vocabulary_name name)\n{\n"
        + "    return books[name].bytes != NULL ? &books[name] : NULL;\n}\n"
    )


main()
