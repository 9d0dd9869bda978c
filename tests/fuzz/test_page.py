"""docs/security.md says what is tried and what is limited, all of it and nothing else."""

from refocus.core import limits

from tests.fuzz.parsers import PARSERS
from tests.fuzz.run import limits_table


def between(page, mark):
    return page.split(f"<!-- {mark} -->\n")[1].split(f"<!-- /{mark} -->")[0]


def test_every_parser_had_its_hundred_thousand_inputs(repository):
    page = between((repository / "docs" / "security.md").read_text(encoding="utf-8"), "fuzz")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines()[2:]]
    assert [row[0] for row in rows] == [parser.name for parser in PARSERS]
    assert all(int(row[3].replace(",", "")) >= 100_000 for row in rows)


def test_the_limits_are_those_of_the_code(repository):
    page = (repository / "docs" / "security.md").read_text(encoding="utf-8")
    assert between(page, "limits") == limits_table()
    every = [value for value in vars(limits).values() if isinstance(value, limits.Limit)]
    assert sorted(map(id, every)) == sorted(map(id, limits.LIMITS))
