"""The cost of every stage, with shared work done once (ours) and with nothing shared (naive)."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from refocus.config.plan import PlanSettings
from refocus.config.root import Root
from refocus.config.train import TrainSettings
from refocus.core import parquet
from refocus.core.results_folder import PAIRS
from refocus.frames.sampling import uniform
from refocus.plan.flops import (
    Flops,
    pick_flops,
    policy_frame_flops,
    policy_parameters,
    policy_prefix_flops,
    prefill,
    triangle,
)
from refocus.plan.model_shapes import LmmShape, policy_shape
from refocus.plan.prompt_tokens import PromptTokens
from refocus.plan.reward_layout import SCHEMES, QuestionGroup, reward_work
from refocus.plan.source_lengths import SourceEstimate
from refocus.policy.config import PolicyConfig
from refocus.qa.planned_shards import planned_shards

POLICY_TEXT = 20  # tokens around the frames of the policy's prompt
FORWARD_AND_BACKWARD = 3  # a backward pass costs two forward ones
ADAM_BYTES = 12  # a weight and two moments, float32


@dataclass(frozen=True)
class Model:
    """An LMM of the configuration: its shape and its prompts."""

    shape: LmmShape
    tokens: PromptTokens
    known_from: str


@dataclass(frozen=True)
class StageCost:
    """One line: what a stage costs for one data set, model or run.

    frames: stored (decode) or through vision towers. tokens: through the LMM, and in training and selection through the
    policy too. naive_*: the same results without sharing anything.
    """

    stage: str
    name: str
    jobs: int
    clips: float = 0.0
    frames: float = 0.0
    tokens: float = 0.0
    flops: float = 0.0
    naive_frames: float = 0.0
    naive_tokens: float = 0.0
    naive_flops: float = 0.0
    disk_bytes: float = 0.0
    core_hours: float = 0.0


def decode_costs(root: Root, sources: Sequence[SourceEstimate], settings: PlanSettings) -> list[StageCost]:
    """One line per source; frames weigh what the settings say, scaled by their area, unless their tars are there."""
    kilobytes = settings.video_frame_kb if root.decode.storage == "video" else settings.jpeg_frame_kb
    each = 1e3 * kilobytes * (root.decode.size / 384) ** 2
    return [
        StageCost(
            "decode",
            source.name,
            planned_shards(root, source.name),
            clips=source.clips,
            frames=source.frames,
            disk_bytes=source.frames * each if source.stored_bytes is None else source.stored_bytes,
            core_hours=source.seconds / settings.decode_speed / 3600,
        )
        for source in sources
    ]


def reward_schemes(root: Root, sources: Sequence[SourceEstimate], tokens: PromptTokens) -> dict[str, Flops]:
    """The reward pass over all training sets under every scheme of `refocus.plan.reward_layout`."""
    total = {name: Flops() for name, _ in SCHEMES}
    for source in sources:
        for group in source.groups:
            for name, work in reward_work(group, root.reward, tokens.starts).items():
                total[name] = total[name] + work
    return total


def reward_cost(
    root: Root, sources: Sequence[SourceEstimate], schemes: Mapping[str, Flops], shape: LmmShape, settings: PlanSettings
) -> StageCost:
    """The reward pass as one line: its first scheme against its last."""
    naive, ours = schemes[SCHEMES[0][0]], schemes[SCHEMES[-1][0]]
    return StageCost(
        "reward",
        root.reward.model,
        sum(planned_shards(root, source.name) for source in sources),
        clips=sum(group.clips for source in sources for group in source.groups),
        frames=ours.frames,
        tokens=ours.tokens,
        flops=ours.flops(shape),
        naive_frames=naive.frames,
        naive_tokens=naive.tokens,
        naive_flops=naive.flops(shape),
        disk_bytes=naive.rows * settings.margin_row_bytes,
    )


def pairs_kept(root: Root, sources: Sequence[SourceEstimate], settings: PlanSettings) -> tuple[float, bool]:
    """Questions that pass the filter, and whether they were counted (else assumed)."""
    path = PAIRS.at(root.results, model=root.reward.model)
    if path.is_file():
        with parquet.opened(path) as file:
            return float(file.metadata.num_rows), True
    return settings.kept_share * sum(source.scored for source in sources), False


def train_cost(root: Root, run: str, sources: Sequence[SourceEstimate], pairs: float, model: Model) -> StageCost:
    """One training run: per question seen, the policy on its clip and the reward LMM on N subsets of T' frames.

    Ours: per clip seen one prefix, its state forked for all candidates, all its frames encoded once for the LMM.
    Naive: every candidate is a sequence of its own for the policy, and its frames are encoded anew for the LMM.
    Clips whose features all fit `feature_cache_gb` are encoded once per run.
    """
    train = root.run_train(run)
    config, _ = policy_shape(root.run_policy(run))
    scored = sum(source.scored for source in sources)
    usable = [group for source in sources for group in source.groups if group.n_frames > train.picks]
    kept = pairs / scored * (1 - train.validation_share) if scored else 0.0  # of every group alike
    asked = sum(group.questions for group in usable) * kept
    seen = train.max_steps * train.batch if train.max_steps else train.epochs * asked
    cached = _fits_cache(usable, train, config, model)
    total = StageCost("train", run, 1)
    for group in usable if asked else ():
        of_group = seen * group.questions * kept / asked
        clips = of_group * _clips_per_question(train)
        encoded = min(group.clips, clips) if cached else clips
        total = _plus(total, _question_costs(group, of_group, clips, encoded, train, config, model))
    parameters = policy_parameters(config)
    out = 2 * parameters * (2 if train.save_dtype == "float16" else 4)
    disk = train.runtime.keep_checkpoints * ADAM_BYTES * parameters + out
    return _plus(total, StageCost("train", run, 0, clips=sum(group.clips for group in usable), disk_bytes=disk))


def _question_costs(
    group: QuestionGroup,
    seen: float,
    clips: float,
    encoded: float,
    train: TrainSettings,
    config: PolicyConfig,
    model: Model,
) -> StageCost:
    """What `seen` questions cost, on clips of one length: `clips` prefixes, features of `encoded` clips."""
    t, s = group.n_frames, group.tokens / group.questions
    n, k = train.candidates, train.picks
    passes = train.updates * (FORWARD_AND_BACKWARD + (train.runtime.gradient_checkpointing != "none"))
    prefix = policy_prefix_flops(config, t, POLICY_TEXT)
    question = policy_prefix_flops(config, 0, s)
    picks = n * k * pick_flops(config, t)
    tower = policy_frame_flops(config)
    row = prefill(model.tokens.starts[k] + s)
    candidates = row * n * seen
    ours = passes * (clips * prefix + seen * (question + picks)) + seen * picks
    naive = (passes + 1) * seen * (n * (prefix + question) + picks)
    policy_tokens = t * config.tokens_per_frame + POLICY_TEXT
    return StageCost(
        "train",
        "",
        0,
        frames=2 * t * encoded,
        tokens=candidates.tokens + clips * policy_tokens + seen * (s + n * k),
        flops=ours + encoded * t * tower + (candidates + Flops(frames=t * encoded)).flops(model.shape),
        naive_frames=seen * (t + n * k),
        naive_tokens=candidates.tokens + seen * n * (policy_tokens + s + k),
        naive_flops=naive + seen * t * tower + (candidates + Flops(frames=n * k * seen)).flops(model.shape),
    )


def _clips_per_question(train: TrainSettings) -> float:
    """Distinct clips of a batch per question; questions drawn one by one hardly ever share one."""
    return min(1.0, train.clips_per_batch / train.batch) if train.clips_per_batch else 1.0


def _fits_cache(usable: Sequence[QuestionGroup], train: TrainSettings, config: PolicyConfig, model: Model) -> bool:
    """Whether the float32 features of all clips fit the half of the cache that each tower has."""
    frames = sum(group.n_frames * group.clips for group in usable)
    policy = config.grid**2 * int(config.vision["hidden_size"])
    lmm = model.shape.frame_tokens * model.shape.width
    return 4 * frames * max(policy, lmm) <= train.runtime.feature_cache_gb / 2 * 2**30


def select_cost(root: Root, benchmarks: Sequence[SourceEstimate], run: str, selectors: int) -> StageCost:
    """`selectors` selectors that ask a run's policy, on all benchmarks: one pass per clip, one rollout per question."""
    config, _ = policy_shape(root.run_policy(run))
    lines = []
    for group in (group for source in benchmarks for group in source.groups):
        picks = min(group.n_frames, max(root.answer.n_frames))
        lines.append(policy_on_clips(group, config, picks * pick_flops(config, group.n_frames), picks))
    return summed("select", run, selectors * len(benchmarks), lines * selectors)


def policy_on_clips(group: QuestionGroup, config: PolicyConfig, flops: float, tokens: float) -> StageCost:
    """The policy over a group's clips, once each (naive: once per question), and over each of its questions, which adds
    `flops` and `tokens` of picks.
    """
    t, s = group.n_frames, group.tokens / group.questions
    once = t * policy_frame_flops(config) + policy_prefix_flops(config, t, POLICY_TEXT)
    each = policy_prefix_flops(config, 0, s) + flops
    of_clip, of_question = t * config.tokens_per_frame + POLICY_TEXT, s + tokens
    return StageCost(
        "",
        "",
        0,
        clips=group.clips,
        frames=group.clips * t,
        tokens=group.clips * of_clip + group.questions * of_question,
        flops=group.clips * once + group.questions * each,
        naive_frames=group.questions * t,
        naive_tokens=group.questions * (of_clip + of_question),
        naive_flops=group.questions * (once + each),
    )


def answer_cost(root: Root, benchmarks: Sequence[SourceEstimate], lmm: str, model: Model) -> StageCost:
    """One LMM on all benchmarks, selectors and numbers of frames.

    Ours: picked frames once per clip and selector; questions share the prefixes of uniform frames only, because other
    selectors' picks are taken to differ (and to be random where it is counted how many frames that makes).
    """
    asked = {source.name: root.selectors_on(source.name) for source in benchmarks}
    lines = [
        _answers(group, selector == "uniform", root.answer.n_frames, model)
        for source in benchmarks
        for group in source.groups
        for selector in asked[source.name]
    ]
    return summed("answer", lmm, sum(map(len, asked.values())), lines)


def _answers(group: QuestionGroup, shared: bool, budgets: Sequence[int], model: Model) -> StageCost:
    t, q = group.n_frames, group.questions / group.clips
    sizes = [min(t, budget) for budget in budgets]
    starts = [model.tokens.starts[size] for size in sizes]
    suffixes = Flops(
        tokens=len(sizes) * group.tokens,
        pairs=sum(starts) * group.tokens + len(sizes) * group.pairs,
        rows=len(sizes) * group.questions,
    )
    prefixes = Flops(tokens=sum(starts), pairs=sum(map(triangle, starts)))
    naive = prefixes * group.questions + suffixes + Flops(frames=sum(sizes)) * group.questions
    if shared:
        seen = len({frame for size in sizes for frame in uniform(t, size)})
        ours = prefixes * group.clips + suffixes + Flops(frames=seen) * group.clips
    else:  # a question's numbers of frames are the first of one order, so only its largest adds frames
        seen = t * (1 - (1 - max(sizes) / t) ** q)
        ours = prefixes * group.questions + suffixes + Flops(frames=seen) * group.clips
    return of_model(group.clips, ours, naive, model)


def of_model(clips: float, ours: Flops, naive: Flops, model: Model) -> StageCost:
    """What an LMM has to do for some clips, as one line."""
    return StageCost(
        "",
        "",
        0,
        clips=clips,
        frames=ours.frames,
        tokens=ours.tokens,
        flops=ours.flops(model.shape),
        naive_frames=naive.frames,
        naive_tokens=naive.tokens,
        naive_flops=naive.flops(model.shape),
    )


def summed(stage: str, name: str, jobs: int, lines: Iterable[StageCost]) -> StageCost:
    """Lines as one, which has so many jobs."""
    return functools.reduce(_plus, lines, StageCost(stage, name, jobs))


def _plus(first: StageCost, second: StageCost) -> StageCost:
    """Sums of all amounts under the first's name."""
    kept = {name: getattr(first, name) for name in ("stage", "name")}
    sums = {name: getattr(first, name) + getattr(second, name) for name in vars(first) if name not in kept}
    return StageCost(**kept, **sums)
