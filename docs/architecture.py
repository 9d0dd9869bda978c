"""Draws docs/architecture.svg: the rooms of the package and who imports whom, read from the code (`make docs`).

The order of the rooms is that of the table in docs/design.md, what each does is the first sentence of its docstring,
and the arrows come from the syntax trees. An arrow that others imply is left out: if `select` imports `policy` and
`policy` imports `lmm`, no arrow leads from `select` to `lmm`.
"""

import ast
import re
from pathlib import Path
from xml.sax.saxutils import escape

from refocus.config.code_digest import imports

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "pipeline" / "refocus"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5A5A5A")
WIDTH, ROW, TOP, NAMES, TEXT = 880, 30, 54, 176, 268


def rooms_in_order() -> list[str]:
    """The rooms as the table in docs/design.md lists them: each imports only those before it."""
    page = (DOCS / "design.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE)


def purpose(room: str) -> str:
    """The first sentence of a room's docstring."""
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    return re.split(r"\.(?:\s+(?=[A-Z])|$)", " ".join(text.split()), maxsplit=1)[0].replace("`", "")


def imported_rooms(room: str) -> set[str]:
    """The other rooms that the modules of `room` import, imports inside functions included."""
    files = [path.relative_to(PACKAGE.parent).with_suffix("") for path in (PACKAGE / room).rglob("*.py")]
    names = [name for path in files for name in imports(".".join(path.parts).removesuffix(".__init__"))]
    return {name.split(".")[1] for name in names if "." in name} - {room, "__main__"}


def arrows(rooms: list[str]) -> list[tuple[str, str]]:
    """Pairs (importer, imported) that no longer way implies."""
    direct = {room: imported_rooms(room) for room in rooms}
    reached: dict[str, set[str]] = {}
    for room in rooms:
        reached[room] = direct[room].union(*(reached[other] for other in direct[room]))
    return [
        (room, other)
        for room in rooms
        for other in rooms
        if other in direct[room] and not any(other in reached[between] for between in direct[room])
    ]


def draw() -> str:
    """The picture as SVG; equal code gives equal text."""
    rooms = rooms_in_order()
    y = {room: TOP + ROW * place + ROW // 2 for place, room in enumerate(rooms)}
    colour = {room: COLOURS[place % len(COLOURS)] for place, room in enumerate(rooms)}
    height = TOP + ROW * len(rooms) + 16
    heads = "".join(
        f'<marker id="{hue[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0.5 8 4 0 7.5z" fill="{hue}"/></marker>'
        for hue in COLOURS
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="white"/>',
        f"<defs>{heads}</defs>",
        '<text x="20" y="30" font-size="15" fill="#222">The rooms of pipeline/refocus. '
        "An arrow points at a room that is imported: always one further up.</text>",
    ]
    for importer, imported in arrows(rooms):
        low, high, hue = y[importer] - 4, y[imported] + 4, colour[importer]
        reach = NAMES - 14 - min(200, 20 + 0.42 * (low - high))
        lines.append(
            f'<path d="M{NAMES - 10} {low} C{reach:.0f} {low} {reach:.0f} {high} {NAMES - 10} {high}" fill="none" '
            f'stroke="{hue}" stroke-width="1.6" opacity="0.85" marker-end="url(#{hue[1:]})"/>'
        )
    for room in rooms:
        lines += [
            f'<rect x="{NAMES - 6}" y="{y[room] - 11}" width="82" height="22" rx="4" fill="#F3F3F3" '
            f'stroke="{colour[room]}"/>',
            f'<text x="{NAMES + 35}" y="{y[room] + 5}" font-size="13" font-weight="bold" fill="#222" '
            f'text-anchor="middle">{room}</text>',
            f'<text x="{TEXT}" y="{y[room] + 5}" font-size="13" fill="#333">{escape(purpose(room))}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    (DOCS / "architecture.svg").write_text(draw(), encoding="utf-8")
