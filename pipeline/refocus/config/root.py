"""The whole configuration: one typed section per stage, the entries they work on, and which of those are used."""

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, StringConstraints, field_validator, model_validator

from refocus.config.answer import AnswerSettings
from refocus.config.assets import AssetsSettings
from refocus.config.base import Section, Strict
from refocus.config.decode import DecodeSettings
from refocus.config.doctor import DoctorSettings
from refocus.config.filter import FilterSettings
from refocus.config.formats import Format, annotation_files
from refocus.config.imports import ImportSettings
from refocus.config.ingest import IngestSettings
from refocus.config.layers import merge
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.lmm import LmmSettings
from refocus.config.niah import NiahSettings
from refocus.config.parsing import parse
from refocus.config.plan import PlanSettings
from refocus.config.policy import PolicySettings
from refocus.config.reward import RewardSettings
from refocus.config.screen import ScreenSettings
from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName
from refocus.config.tables import FiguresSettings, TablesSettings
from refocus.config.train import TrainSettings
from refocus.config.training_free import CertaintySettings, EmbedSettings, ScorerSettings, TrainingFreeSettings
from refocus.config.world import WorldSettings
from refocus.core.addresses import ADVICE, is_address
from refocus.core.errors import UsageError
from refocus.core.results_folder import EVIDENCE, NIAH, ROOT, WORLD

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class UseSettings(Strict):
    """Which of the entries defined below take part; an overlay replaces a list as a whole."""

    datasets: tuple[Slug, ...] = Field((), description="training data sets, by their names in `datasets`")
    benchmarks: tuple[Slug, ...] = Field(
        (), description="benchmarks to select and answer, by their names in `benchmarks`"
    )
    haystacks: tuple[Slug, ...] = Field(
        (),
        description="benchmarks to select on without answering, by their names in `benchmarks`: each question's "
        "evidence is a needle, and Fig. 5 is drawn of whether it is found",
    )
    lmms: tuple[Slug, ...] = Field((), description="video-LMMs that answer, by their names in `lmms`")
    runs: tuple[Slug, ...] = Field((), description="training runs, by their names in `runs`")
    selectors: tuple[str, ...] = Field(
        (),
        description="what picks frames: uniform, random, oracle (needs the benchmarks' truth), refocus/<run>, "
        "initial/<run> (before training), swapped/<run> (the picks of refocus/<run> for another question "
        "of the clip), refocus-question/<run> (asked without the options), greedy/<run> (the likeliest frame at each "
        "step), and without feedback of the picks first-step/<run> (the likeliest frames at the first step) and "
        "marginals/<run> (those of Eq. 10); without training uniform-seen, topk, aks, bolt, mdp3, these four with "
        "-options too, and confidence (docs/selectors.md); and imported/<name>, what another program picked, by its "
        "name in `imports`",
    )


class DatasetSettings(Strict):
    """One training data set on disk. Paths may begin with `<results>/`."""

    format: Format = Field(
        "nextqa",
        description="adapter that reads the annotations (docs/data.md), or module:attribute of one of your own",
    )
    annotations: tuple[str, ...] = Field((), description="annotation files, in the order that the adapter expects")
    videos: str = Field("", description="folder that the annotations' video paths are relative to")
    allowed_roots: tuple[str, ...] = Field(
        (),
        description="folders elsewhere that symbolic links below `videos` may lead into; other links out are refused",
    )
    shards: int = Field(
        1, ge=1, le=999_999, description="number of shards; each holds up to ingest.clips_per_shard clips"
    )
    limit: int | None = Field(None, ge=1, description="rows to read, from the first; null: all")
    max_failure_rate: float | None = Field(
        None, ge=0, le=1, description="in place of decode.max_failure_rate, for sets known to have lost videos"
    )
    adapter_options: dict[str, Any] = Field({}, description="options of this adapter (docs/data.md)")

    @field_validator("annotations", "videos", "allowed_roots")
    @classmethod
    def _on_disk(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for path in (value,) if isinstance(value, str) else value:
            if is_address(path):
                raise ValueError(f"{path!r} {ADVICE}")
        return value


class BenchmarkSettings(DatasetSettings):
    """One benchmark on disk."""

    truth: str | None = Field(
        None,
        description="table of when each question's evidence is visible, for `oracle`; where the annotations say it, "
        "<results>/qa/<name>.evidence.parquet, which ingest writes",
    )
    keep_last_frame: bool | None = Field(
        None,
        description="whether each clip's last frame is always among the picks, inside their number, because the "
        "question is shown there; null: as the format needs it (videommmu does)",
    )

    @property
    def keeps_last_frame(self) -> bool:
        """`keep_last_frame`, or what the format needs."""
        return self.format == "videommmu" if self.keep_last_frame is None else self.keep_last_frame

    @property
    def is_lectures(self) -> bool:
        """Whether Table 2 is about this benchmark."""
        return self.format == "videommmu" and not self.before_lecture

    @property
    def before_lecture(self) -> bool:
        """Whether these are Video-MMMU's questions with their picture alone, of which all frames are the same."""
        return self.format == "videommmu" and self.adapter_options.get("visual") == "question_only"


class RunSettings(Strict):
    """One training run: what differs from `train` and `policy`."""

    seed: int | None = Field(None, ge=0, description="seed of this run; null: train.seed")
    train: dict[str, Any] = Field({}, description="settings of `train` that differ in this run")
    policy: dict[str, Any] = Field({}, description="settings of `policy` that differ in this run")


class Root(Strict):
    """config.yaml as typed settings; unknown keys, unknown names and impossible combinations are errors."""

    results: str = Field("results", min_length=1, description="folder that everything is written under")
    use: UseSettings = Field(UseSettings(), description="which of the entries below take part")
    world: WorldSettings | None = Field(None, description="the synthetic world; null: there is none")
    niah: NiahSettings = Field(
        NiahSettings(), description="needles in haystacks (V-NIAH, Fig. 5), rendered by the synthetic world"
    )
    datasets: dict[Slug, DatasetSettings] = Field({}, description="training data sets by name")
    benchmarks: dict[Slug, BenchmarkSettings] = Field({}, description="benchmarks by name")
    lmms: dict[Slug, LmmSettings] = Field({}, description="video-LMMs by name")
    scorers: dict[Slug, ScorerSettings] = Field(
        {}, description="models that embed frames and texts, for training-free selectors, by name"
    )
    imports: dict[Slug, ImportSettings] = Field({}, description="what other programs picked, by name (docs/exports.md)")
    ingest: IngestSettings = Field(IngestSettings(), description="from annotation files to questions and clips")
    screen: ScreenSettings = Field(
        ScreenSettings(), description="copies among the training sets, and training videos that a benchmark has too"
    )
    decode: DecodeSettings = Field(DecodeSettings(), description="from videos to shards of frames")
    reward: RewardSettings = Field(RewardSettings(), description="margins of the 16 subsets of every question (Eq. 5)")
    filter: FilterSettings = Field(
        FilterSettings(), description="which questions are kept: those whose margin depends on the frames"
    )
    policy: PolicySettings = Field(PolicySettings(), description="the frame-selection policy before training (B.2)")
    train: TrainSettings = Field(TrainSettings(), description="policy-gradient training (Eq. 1, 2 and 7)")
    runs: dict[Slug, RunSettings] = Field({}, description="training runs by name")
    select: SelectSettings = Field(SelectSettings(), description="how a trained policy picks frames")
    embed: EmbedSettings = Field(
        EmbedSettings(), description="embeddings of frames and questions, for topk, aks, bolt and mdp3"
    )
    certainty: CertaintySettings = Field(
        CertaintySettings(), description="an LMM's certainty from every single frame, for confidence"
    )
    training_free: TrainingFreeSettings = Field(
        TrainingFreeSettings(), description="how selectors without training pick frames"
    )
    likelihood: LikelihoodSettings = Field(
        LikelihoodSettings(),
        description="how likely the policy is to pick each frame (Eq. 10; Table 3, Figs. 4 and 9 to 13)",
    )
    answer: AnswerSettings = Field(AnswerSettings(), description="how picked frames become answers")
    tables: TablesSettings = Field(TablesSettings(), description="how answers become tables")
    assets: AssetsSettings = Field(AssetsSettings(), description="how `make assets` trains the world's tiny models")
    figures: FiguresSettings = Field(FiguresSettings(), description="how results are drawn")
    doctor: DoctorSettings = Field(DoctorSettings(), description="what `refocus doctor` lets pass")
    plan: PlanSettings = Field(PlanSettings(), description="what `refocus plan` assumes")

    @model_validator(mode="after")
    def _names_exist(self) -> "Root":
        """Every name that is used is defined, and every selector can be made."""
        if set("{}") & set(self.results):
            raise ValueError("results: Snakemake reads braces in a path as wildcards; choose a folder without them")
        for kind in ("datasets", "benchmarks", "lmms", "runs"):
            for name in getattr(self.use, kind):
                _known(f"use.{kind}", name, getattr(self, kind), kind)
        for name in self.use.haystacks:
            _known("use.haystacks", name, self.benchmarks, "benchmarks")
            if name in self.use.benchmarks:
                raise ValueError(f"use.haystacks: '{name}' is one of use.benchmarks, which are selected on already")
        for name in set(self.datasets) & set(self.benchmarks):
            raise ValueError(f"benchmarks.{name}: a data set has this name already")
        for name in self.doctor.sources:
            _known("doctor.sources", name, {**self.datasets, **self.benchmarks}, "datasets and benchmarks")
        for name in self.plan.sources:
            _known("plan.sources", name, {**self.datasets, **self.benchmarks}, "datasets and benchmarks")
        for selector in self.use.selectors:
            self._check_selector(selector)
        if self.main_n_frames not in self.answer.n_frames:
            raise ValueError(f"tables.n_frames: {self.tables.n_frames} is not one of answer.n_frames")
        if self.use.datasets:
            _known("reward.model", self.reward.model, self.lmms, "lmms")
        for name in self.runs:
            _known(f"runs.{name}: train.reward_model", self.run_train(name).reward_model, self.lmms, "lmms")
            self.run_policy(name)
        self._check_seed()
        return self

    def _check_seed(self) -> None:
        """A seed of `train` that no run would take is a mistake."""
        own = {name: self.run_train(name).seed for name in self.use.runs}
        if self.train.seed and own and self.train.seed not in own.values():
            keys = ", ".join(f"runs.{name}.seed" for name in own)
            raise ValueError(f"train.seed: no run uses {self.train.seed}, because each has its own seed ({keys})")

    def _check_selector(self, selector: str) -> None:
        try:
            parsed = SelectorName.parse(selector)
        except UsageError as error:
            raise ValueError(f"use.selectors: {error}") from None
        if parsed.run is not None:
            _known("use.selectors", parsed.run, self.runs, "runs")
        if parsed.imported is not None:
            _known("use.selectors", parsed.imported, self.imports, "imports")
            for name in self.use.benchmarks:
                entry, files = self.imports[parsed.imported], len(self.benchmarks[name].annotations)
                if problem := entry.problem(name, files, len(self.answer.n_frames)):
                    raise ValueError(f"imports.{parsed.imported}.{problem}")
        if parsed.needs == "embeddings":
            _known("embed.model", self.embed.model, self.scorers, "scorers")
        if parsed.needs == "certainty":
            _known("certainty.model", self.certainty.model, self.lmms, "lmms")
        if parsed.needs == "truth":
            for name in (*self.use.benchmarks, *self.use.haystacks):
                if not self.benchmarks[name].truth:
                    fix = f"set it to {EVIDENCE.fill(dataset=name)} if the annotations say when the answer can be seen"
                    raise ValueError(f"benchmarks.{name}.truth: the selector '{selector}' needs it; {fix}")

    @property
    def main_n_frames(self) -> int:
        """Frames per question in Table 1 and in the figures."""
        return self.tables.n_frames or max(self.answer.n_frames)

    def section(self, name: str) -> Section:
        """The settings of the stage `name`."""
        return getattr(self, name)

    def source(self, name: str) -> DatasetSettings:
        """The data set or benchmark called `name`; both pass through the same first stages."""
        return self.datasets[name] if name in self.datasets else self.benchmarks[name]

    def run_train(self, name: str) -> TrainSettings:
        """`train` with the changes and the seed of run `name`."""
        run = self.runs[name]
        if run.seed is None:
            return _changed(self.train, run.train, f"runs.{name}.train")
        if "seed" in run.train:
            raise ValueError(f"runs.{name}.train.seed: the run has a seed already, runs.{name}.seed")
        return _changed(self.train, {**run.train, "seed": run.seed}, f"runs.{name}.train")

    def run_policy(self, name: str) -> PolicySettings:
        """`policy` with the changes of run `name`."""
        return _changed(self.policy, self.runs[name].policy, f"runs.{name}.policy")

    def decode_of(self, name: str) -> DecodeSettings:
        """`decode` as a source needs it: with the very last frame where its benchmark keeps that."""
        keeps = name in self.benchmarks and self.benchmarks[name].keeps_last_frame
        return self.decode.model_copy(update={"last_frame": True}) if keeps else self.decode

    def selectors_on(self, name: str) -> tuple[str, ...]:
        """The selectors that pick on a benchmark: uniform alone where all frames are the same."""
        benchmark = self.benchmarks.get(name)
        return ("uniform",) if benchmark and benchmark.before_lecture else self.use.selectors

    def path(self, text: str) -> str:
        """A path as the config writes it, with `<results>/` filled in."""
        return f"{self.results}/{text.removeprefix(ROOT)}" if text.startswith(ROOT) else text

    def annotations_of(self, name: str) -> list[Path]:
        """A source's annotation files; of a folder those in it."""
        source = self.source(name)
        return [file for path in source.annotations for file in annotation_files(source.format, Path(self.path(path)))]

    def is_rendered(self, name: str) -> bool:
        """Whether a data set's videos come from the synthetic world of this configuration, or are its haystacks."""
        return self.drawn_from(name) is not None

    def drawn_from(self, name: str) -> WorldSettings | NiahSettings | None:
        """The settings that a data set's videos are drawn from, of the synthetic world or of haystacks; None: real."""
        videos = f"{self.source(name).videos}/"
        if videos.startswith(f"{NIAH}/"):
            return self.niah
        return self.world if videos.startswith(f"{WORLD}/") else None


def section_name(model: type[Section]) -> str:
    """The key of the configuration whose value is a `model`."""
    return next(
        name for name, field in Root.model_fields.items() if model in (field.annotation, *get_args(field.annotation))
    )


def _known(key: str, name: str, defined: dict[str, Any], where: str) -> None:
    if name not in defined:
        raise ValueError(f"{key}: '{name}' is not defined under {where} ({', '.join(defined) or 'nothing is'})")


def _changed(section: Any, changes: dict[str, Any], key: str) -> Any:
    try:
        return parse(type(section), merge(section.model_dump(mode="json"), changes))
    except UsageError as error:
        raise ValueError(f"{key}: {error}") from None
