"""The page of results: tables, figures, training, the workflow, the configuration, and where it all comes from."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from PIL import Image

from refocus.config.root import Root
from refocus.config.variants import trained
from refocus.core.errors import RefocusError
from refocus.core.files import write_text
from refocus.core.results_folder import BENCHMARKS, CURVES, FIGURE, FIGURES, ROOT, SENSITIVITY_CSV, TABLE, TABLES
from refocus.report import captions
from refocus.report.claims import headline
from refocus.report.pages.configuration import as_yaml, changes, flat
from refocus.report.pages.provenance import Made, made_by_logs, recorded, versions
from refocus.report.pages.render import render
from refocus.report.pages.rulegraph import Rulegraph, ask_snakemake, parse
from refocus.report.pages.table_view import CellView, TableView, read_table
from refocus.report.series import Lines, series
from refocus.report.stage_seconds import stage_seconds
from refocus.report.study import Study

IMAGES = (".png", ".svg")  # in the order in which one is shown
KEPT = (".csv", ".md", ".tex", ".html", *IMAGES)


@dataclass(frozen=True)
class Picture:
    """A figure on the page: the file that is shown, relative to the page, and the others of its name."""

    name: str
    image: str  # empty: none of them can be shown
    caption: str
    files: tuple[str, ...] = ()


class IndexPage:
    """Copies what the page shows into `folder`, then renders it."""

    def __init__(self, study: Study, default: Root, commands: Sequence[str], folder: Path):
        """commands: what makes the results and the report, for the page."""
        self.study, self.root, self.results = study, study.root, study.folder
        self.default, self.commands, self.folder = default, commands, folder
        self.broken: list[str] = []  # pictures that no browser would show
        self.tables = self._tables()
        self.figures = self._figures()
        self.curves = self._curves()
        self.graph, self.why_no_graph = self._graph()

    @property
    def title(self) -> str:
        """What the pages are called."""
        return f"Results in {self.results}"

    @cached_property
    def missing(self) -> list[str]:
        """Tables, figures, runs and answers that are not among the results, with the reason where no such are asked
        for."""
        there = {view.name for view, _ in self.tables}, {one.name for one in self.figures}
        tables = {name: TABLE.fill(table=name, suffix="csv") for name in captions.TABLES if name not in there[0]}
        figures = {name: FIGURE.fill(figure=name, suffix="png") for name in captions.FIGURES if name not in there[1]}
        why = _not_asked_for(self.root)
        lacking = [(name, file) for files in (tables, figures) for name, file in files.items()]
        return [
            *(file.removeprefix(ROOT) + (f" ({why[name]})" if name in why else "") for name, file in lacking),
            *self.broken,
            *self.study.missing,
        ]

    def html(self, missing: Sequence[str]) -> str:
        """The page; missing: of both pages."""
        made, silent = recorded(self.results)
        world = TABLE.at(self.results, table="world", suffix="csv")
        return render(
            "index.html.jinja",
            title=self.title,
            results=str(self.results),
            world=self.root.world is not None,
            facts=self._facts(),
            headline=headline(world).splitlines() if world.is_file() else [],
            missing=missing,
            tables=self.tables,
            figures=self.figures,
            runs=_plain("runs", RUN_TITLES, [self._run(name, run) for name, run in self.study.runs.items()]),
            curves=self.curves,
            graph=self.graph,
            why_no_graph=self.why_no_graph,
            seconds=_plain(
                "seconds",
                ("stage", "jobs", "seconds, all jobs", "most memory of one job, MB"),
                [
                    (one.stage, str(one.jobs), f"{one.seconds:.0f}", f"{one.memory_mb:.0f}")
                    for one in stage_seconds(BENCHMARKS.at(self.results))
                ],
            ),
            commands=self.commands,
            base="the default configuration",
            changes=_plain(
                "changes",
                ("key", "default", "here"),
                [(one.key, one.before, one.now) for one in changes(self.default, self.root)],
            ),
            configuration=as_yaml(self.root),
            sections=made,
            recorded=_plain("recorded", MADE_TITLES, [_made(one, self.root) for one in made]),
            silent=silent,
            seeds=_plain("seeds", ("seed", "configured", "recorded"), self._seeds(made)),
            jobs=_plain("jobs", ("refocus", "commit", "Python", "processor", "jobs"), made_by_logs(self.results)),
            versions=_plain("versions", ("package", "version"), versions()),
        )

    # ---- parts

    def _facts(self) -> list[tuple[str, str]]:
        use, asked = self.root.use, self.study.results.benchmarks.values()
        return [
            ("benchmarks", str(len(use.benchmarks))),
            ("questions", f"{sum(len(one.questions) for one in asked):,}"),
            ("selectors", str(len(use.selectors))),
            ("answering LMMs", str(len(self.study.results.lmms))),
            ("finished runs", f"{len(self.study.runs)} of {len(use.runs)}"),
            ("frames per question", str(self.root.main_n_frames)),
        ]

    def _tables(self) -> list[tuple[TableView, list[str]]]:
        """Tables, the paper's first, with copies of their files."""
        words = [*TABLES.at(self.results).glob("*.csv"), *FIGURES.at(self.results).glob("*.csv")]
        found = {path.stem: path for path in sorted(words) if path.with_suffix(".md").is_file()}
        order = [name for name in captions.TABLES if name in found]
        paths = [found[name] for name in [*order, *(name for name in found if name not in order)]]
        made = [self._table(path, "tables") for path in paths]
        for path in sorted(self.results.glob(SENSITIVITY_CSV.fill(model="*").removeprefix(ROOT))):
            title = f"Questions kept by other thresholds of the filter, {path.parent.name}"
            table, files = self._table(path, name := f"sensitivity-{path.parent.name}")
            made.append((replace(table, name=name, title=title), files))
        return made

    def _table(self, path: Path, to: str) -> tuple[TableView, list[str]]:
        return read_table(path), self._copied(path.parent.glob(f"{path.stem}.*"), to)

    def _figures(self) -> list[Picture]:
        folder = FIGURES.at(self.results)
        there = {path.stem for path in folder.glob("*") if path.suffix in IMAGES}
        order = [name for name in captions.FIGURES if name in there]
        names = [*order, *sorted(there - set(order))]
        drawn = [self._picture(folder, name, captions.FIGURES.get(name, name)) for name in names]
        return [one for one in drawn if one.image]

    def _picture(self, folder: Path, name: str, caption: str, to: str = "figures") -> Picture:
        broken = {one for one in folder.glob(f"{name}.*") if one.suffix in IMAGES and not is_picture(one)}
        self.broken += [f"{one.relative_to(self.results)} (cannot be read as a picture)" for one in sorted(broken)]
        files = self._copied(set(folder.glob(f"{name}.*")) - broken, to)
        image = next((file for suffix in IMAGES for file in files if file.endswith(suffix)), "")
        return Picture(name, image, caption, tuple(file for file in files if file != image))

    def _curves(self) -> list[Picture]:
        folders = {run: CURVES.at(self.results, run=run).parent for run in self.root.use.runs}
        drawn = [
            replace(
                self._picture(folder, Path(CURVES.name).stem, f"Training run {run}.", f"training/{run}"),
                name=f"curves-{run}",
            )
            for run, folder in folders.items()
            if CURVES.inside(folder).is_file()
        ]
        return [one for one in drawn if one.image]

    def _copied(self, files: Iterable[Path], to: str) -> list[str]:
        """Copies files that a page shows or links to; where the copies lie, relative to the page."""
        folder = self.folder / to
        folder.mkdir(parents=True, exist_ok=True)
        kept = [one for one in sorted(files) if one.suffix in KEPT]
        return [Path(shutil.copyfile(one, folder / one.name)).relative_to(self.folder).as_posix() for one in kept]

    def _graph(self) -> tuple[Rulegraph | None, str]:
        try:
            dot = ask_snakemake(self.root, self.results)
        except RefocusError as error:
            return None, str(error)
        write_text(self.folder / "rulegraph.dot", dot)
        return parse(dot), ""

    def _run(self, name: str, lines: Lines) -> tuple[str, ...]:
        settings = self.root.run_train(name)
        label = next((variant.label for variant in self.study.variants if name in variant.runs), "")
        steps = max((line["step"] for line in lines if "step" in line), default=0)
        values = [_ends(lines, key) for key in ("validation/accuracy", "validation/accuracy_uniform", "reward/mean")]
        shares = [_percent(values[0][0]), _percent(values[0][1]), _percent(values[1][1])]
        frames = trained(settings.identity())
        return (name, label or "–", str(settings.seed), frames, str(steps), *shares, _digits(values[2][1]))

    def _seeds(self, made: Iterable[Made]) -> list[tuple[str, str, str]]:
        known = {one.section: one.values for one in made}
        values = dict(flat(self.root.model_dump(mode="json")))
        rows = []
        for key, value in values.items():
            section, _, rest = key.partition(".")
            if not key.endswith("seed") or (section == "runs" and rest.partition(".")[0] not in self.root.use.runs):
                continue
            rows.append((key, value, ", ".join(sorted(known.get(section, {}).get(rest, ()))) or "–"))
        return rows


MADE_TITLES = ("section", "files", "fingerprints", "not as this configuration says")
RUN_TITLES = (
    *("run", "what is different", "seed", "T'", "last step", "accuracy before, %", "accuracy after, %"),
    *("from uniform frames, %", "mean margin, last step"),
)


def _not_asked_for(root: Root) -> dict[str, str]:
    """Why a configuration has no such tables and figures, by name."""
    reasons = {}
    if not any(root.benchmarks[name].is_lectures for name in root.use.benchmarks):
        reasons["table2"] = "no benchmark in use is Video-MMMU"
    if not root.use.haystacks:
        reasons |= dict.fromkeys(("niah", "fig5_niah"), "no haystacks in use: config/niah.yaml")
    if not any(root.is_rendered(name) for name in root.use.benchmarks):
        reasons |= dict.fromkeys(("world", "world_frames"), "no benchmark in use is of the synthetic world")
    return reasons


def is_picture(path: Path) -> bool:
    """Whether a .png is whole, or a .svg has its end."""
    if path.suffix == ".svg":
        return path.read_bytes().rstrip().endswith(b"</svg>")
    try:
        with Image.open(path) as picture:
            picture.verify()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def _plain(name: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> TableView:
    """A table of texts."""
    cells = tuple(tuple(CellView(text, sort=text) for text in row) for row in rows)
    return TableView(name, "", tuple(titles), (), cells)


def _made(one: Made, root: Root) -> tuple[str, ...]:
    others = "; ".join(f"{key} = {value}, configured {wanted}" for key, value, wanted in one.against(root))
    return one.section, str(one.files), str(len(one.fingerprints)), others or "–"


def _ends(lines: Lines, key: str) -> tuple[float | None, float | None]:
    """The first and the last value of a quantity."""
    values = series(lines, key)[1]
    return (values[0], values[-1]) if values else (None, None)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
