"""What other programs' readers get wrong in silence, refused or avoided before a file is written."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError, UsageError
from refocus.qa.adapters.annotation_files import json_lines
from refocus.qa.loose_values import LARGE
from refocus.select.exports.picked import PickedTable, named
from refocus.select.picks import Selection


def only(tables: Sequence[PickedTable], name: str) -> PickedTable:
    """The one table of a format whose file holds one selection.

    Raises:
        UsageError: there are several.
    """
    if len(tables) != 1:
        names = ", ".join(str(table.path) for table in tables)
        raise UsageError(f"a file of {name} holds one selection, and there are {len(tables)}: {names}")
    return tables[0]


def exactly_n(table: PickedTable, name: str) -> None:
    """Refuses rows with another number of frames than the table's: readers fill them up with others in silence.

    Raises:
        RefocusError: a question has fewer frames, or none.
    """
    short = [q.source_id for q in table.asked.questions if len(table.rows[q.qa_id].frames_indices) != table.n_frames]
    if short:
        raise RefocusError(
            f"{table.path}: {named(short)} have other than {table.n_frames} frames, and readers of {name} show "
            "uniform frames in place of too few without a word; select fewer frames, or leave these questions out of "
            "the benchmark"
        )


def prefix_order(selection: Selection) -> tuple[int, ...]:
    """The file's frame numbers in an order for readers that take the first N and sort them.

    As they were picked. Picks that have no order but time's (uniform's) are spread, so that the first N are never the
    earliest N.
    """
    order = selection.file_pick_order
    return order if list(order) != sorted(order) else spread(order)


def spread(values: tuple[int, ...]) -> tuple[int, ...]:
    """Values in the order of van der Corput's sequence: every beginning of the result is evenly spread over them."""
    bits = max(1, (len(values) - 1).bit_length())
    places = sorted(range(len(values)), key=lambda place: int(f"{place:0{bits}b}"[::-1], 2))
    return tuple(values[place] for place in places)


def once(found: Mapping[str, object], qa_id: str, where: str, name: object) -> str:
    """`qa_id`, which nothing before was found for: of two entries for one question, none is known to be meant.

    Raises:
        RefocusError: something was.
    """
    if qa_id in found:
        raise RefocusError(f"{where}: a second entry for {name}; a file holds one selection")
    return qa_id


def json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file with one per line, each with its place for messages.

    Raises:
        RefocusError: a line is none.
    """
    for number, row in enumerate(json_lines(path), 1):
        where = f"{path} line {number}"
        if not isinstance(row, dict):
            raise RefocusError(f"{where}: no JSON object")
        yield where, row


def numbers(values: object, where: str) -> tuple[float, ...]:
    """A list of finite numbers.

    Raises:
        RefocusError: it is none.
    """
    if not isinstance(values, list):
        raise RefocusError(f"{where}: expected a list of numbers, found {values!r:.80}")
    for value in values:
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < LARGE:
            raise RefocusError(f"{where}: {value!r:.80} is no number")
    return tuple(map(float, values))


def whole_numbers(values: object, where: str) -> tuple[int, ...]:
    """Frame numbers, also where they were written as floats (30.0).

    Raises:
        RefocusError: it is no list of them; 30.4 is no frame.
    """
    found = numbers(values, where)
    for value in found:
        if not value.is_integer() or value < 0:
            raise RefocusError(f"{where}: {value:g} is no number of a frame")
    return tuple(map(int, found))
