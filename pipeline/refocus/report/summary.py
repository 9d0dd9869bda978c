"""The last page of a run: its tables as text, where the figures are, and one line on what it shows."""

from pathlib import Path

from refocus.core.errors import UsageError
from refocus.report.claims import headline

SHOWN = ("world", "table1")


def summary(tables: Path, figures: Path) -> str:
    """The text of `refocus summary`.

    Raises:
        UsageError: there are no tables.
    """
    found = [tables / f"{name}.md" for name in SHOWN if (tables / f"{name}.md").is_file()]
    if not found:
        raise UsageError(f"{tables} holds no tables; run `refocus tables` first")
    parts = [path.read_text(encoding="utf-8").rstrip() for path in found]
    more = sorted(path for path in tables.glob("*.md") if path not in found)
    drawn = sorted(figures.glob("*.png")) if figures.is_dir() else []
    places = [f"tables:  {', '.join(str(path) for path in [*found, *more])}"]
    places += (
        [f"figures: {drawn[0].parent}/ ({', '.join(path.stem for path in drawn)})"] if drawn else ["figures: none yet"]
    )
    world = tables / "world.csv"
    last = headline(world) if world.is_file() else ""
    return "\n\n".join([*parts, "\n".join(places), *([last] if last else [])])
