"""Choices that are taken from bytes, as guided fuzzing needs them; atheris itself runs in `make fuzz-guided`."""

from random import Random

import pytest

from tests.fuzz.guided import Choices
from tests.fuzz.harness import judge, limited
from tests.fuzz.parsers import PARSERS


def test_choices_are_those_of_the_bytes_and_end_with_them():
    data = bytes(range(1, 33))
    assert Choices(data).getrandbits(16) == 0x0201 and Choices(data).random() == 0x0201 / (1 << 16)
    one, same, other = Choices(data), Choices(data), Choices(data[:-1] + b"\xff")
    drawn = [[choices.randrange(256) for _ in range(64)] for choices in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2] and len(set(drawn[0])) > 8
    assert set(drawn[0][40:]) == {0}  # nothing is left, and nothing waits for more


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_every_maker_lives_on_choices(parser, tmp_path):
    make, parse = parser.build(tmp_path)
    with limited(tmp_path):
        for number in range(4):
            judge(parse, make(Choices(Random(f"{parser.name}:{number}").randbytes(number * 300))))
