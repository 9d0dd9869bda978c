"""Valid inputs with something wrong: bytes that were changed, and values that no writer would have put there.

Everything takes its choices from one `random.Random`, so that hypothesis can draw (and shrink) them in the tests, and a
seed makes them again in the long run.
"""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MOST = 1 << 16  # bytes of an input
EDGES = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    511,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 1.5, -0.0, 1e308, float("nan"), float("inf"), 10**18, 2**63, 10**400, -(10**400)),
    *("", " ", "\0", "\ud800", "\u202e", "²", "A", "(B)", "a\nb", "\ufeff", "é" * 3, "0", "-1", "1e9", "nan", "0x10"),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\x",
        "x.tar/99999999999999999+5/x.mp4",
        "https://a/b",
        "a/../b",
        "n" * 300,
    ),
    *("1:05", "999999999999:00:00", "1:2:3:4", "0:15-0:19; 1:05", "9-1", "9" * 400, "9" * 5000, "1e999", "- - -"),
    *(
        "[",
        "[" * 300,
        "['a' 'b']",
        "['a', 'b]",
        '["a", "b"]',
        "[1 2\n 3]",
        "[b'a' 'c']",
        "[" + "1," * 500 + "]",
        "[-" + "-" * 500 + "1]",
    ),
    *([], {}, [[]], [None], ["a"], ["a"] * 40, [1, 2, 3], [[1, 2]], {"a": 1}, {"path": "a.mp4"}, {"__float__": []}),
    *(nested(70), nested(250), "x" * 3000, "\\frac{1}{2}", "<script>alert(1)</script>", "{{x}}", "%s%n"),
)
TOKENS = (
    *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"null", b"{}", b"[]", b"[[", b"}}", b'"', b"'", b",", b":", b"\\u"),
    *(
        b"\\ud800",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xff" * 9,
        b"\x80" * 40,
        b"\0\0\1",
        b"\n",
        b"\r\n",
        b";",
        b"\t",
    ),
    *(b"[" * 400, b'{"a":' * 200, b"9" * 400, b"9" * 5000, b"-", b"&a *a", b"../", b"/etc/passwd", b"A" * 2000),
)


def changed_bytes(random: Random, data: bytes, others: Sequence[bytes] = (), words: Sequence[bytes] = TOKENS) -> bytes:
    """The data after one to four changes; others: valid inputs, of which parts may come in."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(STEPS)(random, out, others or (data,), words)
        del out[MOST:]
    return bytes(out)


def _place(random: Random, out: bytearray) -> int:
    """Somewhere, and half of the times near the beginning, where headers are."""
    return random.randrange(min(len(out), 96) if random.random() < 0.5 else len(out)) if out else 0


def _bit(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    if out:
        out[_place(random, out)] ^= 1 << random.randrange(8)


def _byte(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    if out:
        out[_place(random, out)] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))


def _number(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    """An edge of a number's range, in either order of bytes."""
    width = random.choice((1, 2, 3, 4, 8))
    number = random.choice(EDGES) % (1 << 8 * width)
    at = _place(random, out)
    out[at : at + width] = number.to_bytes(width, random.choice(("little", "big")))


def _cut(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = _place(random, out)
    del out[at : at + random.choice((1, 4, 40, MOST))]


def _repeat(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    at, length = _place(random, out), random.choice((1, 8, 100, 600))
    out[at:at] = out[at : at + length] * random.choice((1, 2, 30))


def _word(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    at, word = _place(random, out), random.choice(words)
    out[at : at + random.choice((0, 1, len(word)))] = word


def _splice(random: Random, out: bytearray, others: Sequence[bytes], words: Sequence[bytes]) -> None:
    """A part of another valid input."""
    other = random.choice(others)
    if other:
        start = random.randrange(len(other))
        at = _place(random, out)
        out[at : at + random.choice((0, 16, 512))] = other[start : start + random.choice((4, 64, 2000))]


STEPS: tuple[Callable[[Random, bytearray, Sequence[bytes], Sequence[bytes]], None], ...] = (
    _bit,
    _byte,
    _number,
    _number,
    _cut,
    _repeat,
    _word,
    _splice,
)


def changed_value(random: Random, value: Any, strange: Sequence[Any] = STRANGE) -> Any:
    """A JSON value after one to three changes of its structure; the value itself is used up."""
    for _ in range(random.choice((1, 1, 2, 3))):
        holder = {"": value}
        places = list(_places(holder))
        inside, key = random.choice(places)
        what = random.randrange(8)
        if what < 4:
            inside[key] = _fresh(random.choice(strange))
        elif what == 4 and key != "":
            inside.pop(key)
        elif what == 5:
            inside[key] = [inside[key]] * random.choice((1, 2, 5))
        elif what == 6:
            other, place = random.choice(places)
            inside[key] = _fresh(other[place])
        elif isinstance(inside, dict):
            inside[random.choice(("id", "A", "", "0", "video", "\ud800"))] = inside.get(key)
        value = holder[""]
    return value


def _fresh(value: Any) -> Any:
    """A copy, so that no value holds itself."""
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def _places(holder: Any) -> Any:
    """Every (container, key) of a nested value."""
    waiting = [holder]
    while waiting:
        inside = waiting.pop()
        for key, value in list(inside.items() if isinstance(inside, dict) else enumerate(inside)):
            yield inside, key
            if isinstance(value, dict | list) and value:
                waiting.append(value)


def changed_json(random: Random, samples: Sequence[str]) -> bytes:
    """A JSON text: mostly of a changed value, sometimes with changed bytes, or both."""
    text = random.choice(samples)
    way = random.random()
    if way < 0.02:
        return text.encode()
    if way < 0.85:
        text = json.dumps(changed_value(random, json.loads(text)))
    data = text.encode()
    return data if way < 0.7 else changed_bytes(random, data)


def changed_lines(random: Random, samples: Sequence[str]) -> bytes:
    """Lines of JSON, one of them changed."""
    lines = [random.choice(samples).encode() for _ in range(random.randrange(3))]
    lines.insert(random.randrange(len(lines) + 1), changed_json(random, samples))
    return random.choice((b"\n", b"\r\n", b"\n\n")).join(lines)


def changed_text(random: Random, samples: Sequence[str], words: Sequence[str]) -> str:
    """A text in which words came in, went, or were repeated."""
    parts = [random.choice(samples)]
    for _ in range(random.choice((0, 1, 2, 4))):
        text = "".join(parts)
        at = random.randrange(len(text) + 1)
        word = random.choice(words)
        parts = [text[:at], word * random.choice((1, 1, 2, 40)), text[at + random.choice((0, 0, 1, 5)) :]]
    return "".join(parts)[:MOST]
