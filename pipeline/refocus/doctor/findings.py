"""What the doctor says: findings, per source and per model, as text and as plain values."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
SHOWN = 3  # examples in one finding


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `error` ends the run or costs questions, `warning` may, `note` informs."""

    level: Level
    kind: str  # such as `missing`; stable, for scripts
    text: str  # what and where
    fix: str = ""
    files: int = 0
    questions: int = 0  # that it costs


@dataclass
class Report:
    """One data set or benchmark."""

    name: str
    role: str  # `data set` or `benchmark`
    format: str
    missing_allowed: float
    rejected_allowed: float
    questions: int = 0
    rejected: int = 0  # rows, without those an option drops or no format can use
    videos: int = 0
    clips: int = 0
    probed: int = 0  # videos whose headers were read
    lost: int = 0  # questions whose video cannot be used, as far as seen
    expected: int = 0  # more of them, if the videos not probed are like those probed
    frames_bytes: int | None = None  # what its frames will take, if durations are known
    findings: list[Finding] = field(default_factory=list)

    @property
    def lost_share(self) -> float:
        """Share of the questions that are, or by the sample should be, lost."""
        return (self.lost + self.expected) / self.questions if self.questions else 0.0

    @property
    def rejected_share(self) -> float:
        """Share of the rows that became no question."""
        rows = self.questions + self.rejected
        return self.rejected / rows if rows else 0.0

    @property
    def fails(self) -> list[str]:
        """Why this source should not be run as it is; empty if it may."""
        reasons = [found.text for found in self.findings if found.kind in BLOCKING and found.level == "error"]
        for share, allowed, what, key in (
            (self.lost_share, self.missing_allowed, "questions have no usable video", "max_missing_share"),
            (self.rejected_share, self.rejected_allowed, "rows are rejected", "max_rejected_share"),
        ):
            if share > allowed:
                reasons.append(f"{share:.1%} of its {what}, more than {allowed:.1%} (doctor.sources.{self.name}.{key})")
        return reasons


BLOCKING = frozenset(
    {"annotations", "folder", "format", "shards", "model", "truth", "imports", "no_questions", "frames"}
)


@dataclass
class Diagnosis:
    """Everything the doctor found."""

    sources: list[Report]
    models: list[Finding]
    disk: list[Finding]

    @property
    def fails(self) -> list[str]:
        """All reasons for exit status 1."""
        own = [f"{report.name}: {reason}" for report in self.sources for reason in report.fails]
        return own + [found.text for found in [*self.models, *self.disk] if found.level == "error"]

    def plain(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        sources = [
            {**asdict(report), "lost_share": report.lost_share, "rejected_share": report.rejected_share}
            for report in self.sources
        ]
        other = {name: [asdict(found) for found in getattr(self, name)] for name in ("models", "disk")}
        return {"ok": not self.fails, "fails": self.fails, "sources": sources, **other}

    def lines(self) -> Iterator[str]:
        """As text."""
        for report in self.sources:
            counts = f"{report.questions:,} questions, {report.clips:,} clips, {report.videos:,} videos"
            counts += f", {report.probed:,} headers read"
            yield f"{report.name} ({report.role}, {report.format})" + (f": {counts}" if report.questions else "")
            yield from _lines(report.findings)
            if report.lost or report.expected:
                more = f" and about {report.expected:,} more by the sample" if report.expected else ""
                yield f"  costs    {report.lost:,} questions{more}: {report.lost_share:.1%}"
        for title, findings in (("models", self.models), ("disk", self.disk)):
            if findings:
                yield title
                yield from _lines(findings)
        yield from self._verdict()

    def _verdict(self) -> Iterator[str]:
        """Why the status is 1; what stands above as an error is counted, not repeated."""
        for report in self.sources:
            said = {found.text for found in report.findings}
            yield from (f"FAILS: {report.name}: {reason}" for reason in report.fails if reason not in said)
            if again := sum(reason in said for reason in report.fails):
                yield f"FAILS: {report.name}: {_errors(again)}"
        if other := sum(found.level == "error" for found in [*self.models, *self.disk]):
            yield f"FAILS: models and disk: {_errors(other)}"
        if not self.fails:
            yield "nothing stands in the way"


def _errors(count: int) -> str:
    return f"{count} error{'s' if count > 1 else ''} above"


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for found in findings:
        cost = f" [{found.questions:,} questions]" if found.questions else ""
        yield f"  {found.level:<8} {found.text}{cost}"
        if found.fix:
            yield f"  {'':<8} → {found.fix}"


def examples(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
