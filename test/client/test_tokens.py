"""The tokenizer beside the reference, tiktoken, over texts of every script, of emoji, of white space and
of code: not one token may differ."""

import base64
import json
import os
import pathlib
import random
import struct
import subprocess
import unicodedata

import pytest
import tiktoken

ROOT = pathlib.Path(__file__).resolve().parents[2]
RANKS = ROOT / "build/deps/js-tiktoken/package/dist/ranks"
ENCODE = pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "build/test/src/sluice")).parents[1]
ENCODE = ENCODE / "test/encode_tokens"
TEXTS = 100_000

SPACES = [chr(c) for c in (9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x2003, 0x200A)]
SPACES += [chr(c) for c in (0x200B, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF)]


def reference(name):
    text = (RANKS / f"{name}.js").read_text()
    book = json.loads(text[text.index("{") : text.rindex("}") + 1])
    ranks = {}
    for line in book["bpe_ranks"].splitlines():
        _, first, *words = line.split(" ")
        ranks.update((base64.b64decode(w), i) for i, w in enumerate(words, int(first)))
    return tiktoken.Encoding(name, pat_str=book["pat_str"], mergeable_ranks=ranks, special_tokens={})


class Writer:
    """Texts of many kinds, the same ones every time."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.scripts = {}
        for c in range(0x110000):
            # What Python's tables call assigned, every library at hand does, too.
            if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn":
                self.scripts.setdefault(unicodedata.name(chr(c), "?").split(" ")[0], []).append(chr(c))
        self.blocks = list(self.scripts.values())
        self.emoji = [chr(c) for c in range(0x1F300, 0x1FB00)]
        files = [*ROOT.glob("src/*/*.c"), *ROOT.glob("test/wire/*.py"), *ROOT.glob("docs/*.md")]
        self.sources = [p.read_text() for p in sorted(files)]
        self.words = sorted({w for s in self.sources for w in s.split() if w.isalpha()})
        self.kinds = [self.script, self.script, self.space, self.emojis, self.code, self.code, self.prose,
                      self.prose, self.mixture, self.run]

    def text(self):
        return self.random.choice(self.kinds)()

    def some(self, most, one):
        return "".join(one() for _ in range(self.random.randint(1, most)))

    def script(self):
        block = self.random.choice(self.blocks)
        between = " \n'.,-1 "
        return self.some(40, lambda: self.random.choice(block if self.random.random() < 0.85 else between))

    def space(self):
        return self.some(30, lambda: self.random.choice([*SPACES, "a", "B", " ", "\n"]))

    def emojis(self):
        parts = ["\u200d", "\ufe0f", "\U0001f3fd", "x", " "]
        return self.some(15, lambda: self.random.choice([self.random.choice(self.emoji), *parts]))

    def code(self):
        source = self.random.choice(self.sources)
        at = self.random.randrange(len(source))
        return source[at : at + self.random.randint(1, 400)]

    def prose(self):
        joints = [" ", "  ", "\n", "'", "'s ", "'LL ", "’s ", "-", "ſ", " 1", " 2024-11-21 "]
        forms = [str.lower, str.upper, str.title]
        return self.some(
            30, lambda: self.random.choice(joints) + self.random.choice(forms)(self.random.choice(self.words))
        )

    def mixture(self):
        return self.some(20, lambda: self.random.choice(self.random.choice(self.blocks)))

    def run(self):
        return self.random.choice("aA !\n0é你") * self.random.randint(1, 2000)


def ours(name, texts):
    """Their tokens by our program."""
    records = b"".join(struct.pack("=I", len(t)) + t for t in (t.encode() for t in texts))
    done = subprocess.run([ENCODE, name], input=records, capture_output=True, check=True)
    out, at = [], 0
    while at < len(done.stdout):
        (n,) = struct.unpack_from("=I", done.stdout, at)
        out.append(list(struct.unpack_from(f"={n}I", done.stdout, at + 4)))
        at += 4 + 4 * n
    return out


@pytest.fixture(scope="module")
def texts():
    writer = Writer(20)
    return [writer.text() for _ in range(TEXTS)]


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_every_text_has_the_tokens_of_the_reference(name, texts):
    if not RANKS.exists():
        pytest.skip("no tables were fetched for the build")
    found = ours(name, texts)
    assert len(found) == len(texts)
    expected = map(reference(name).encode_ordinary, texts)
    wrong = [(t, e, o) for t, e, o in zip(texts, expected, found) if e != o]
    assert not wrong, f"{len(wrong)} of {len(texts)} differ; the first: {wrong[0]!a}"
