"""Everything a configuration costs, put together, with what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refocus.config.likelihood_runs import likely_benchmarks, likely_runs
from refocus.config.plan import PlanSettings
from refocus.config.root import Root
from refocus.config.selectors import SelectorName
from refocus.core.errors import UsageError
from refocus.plan.flops import Flops
from refocus.plan.likelihood_costs import bins_cost, likelihood_cost
from refocus.plan.model_shapes import LmmShape, lmm_shape, policy_shape
from refocus.plan.prompt_tokens import prompt_tokens
from refocus.plan.score_costs import certainty_cost, embed_cost, scores_needed
from refocus.plan.source_lengths import ASSUMED, BOUNDS, HEADERS, INDEX, UNKNOWN, SourceEstimate, guess_of, read_source
from refocus.plan.stage_costs import (
    Model,
    StageCost,
    answer_cost,
    decode_costs,
    pairs_kept,
    reward_cost,
    reward_schemes,
    select_cost,
    train_cost,
)

KNOWN_FROM = {
    INDEX: "the indexes of decoded shards",
    BOUNDS: "the clips' own bounds",
    HEADERS: "the headers of some videos",
    ASSUMED: "plan.sources",
    UNKNOWN: "nothing: the most frames there can be",
}


@dataclass(frozen=True)
class Plan:
    """The costs of all stages.

    schemes: the reward pass under every scheme of `refocus.plan.reward_layout`.
    uncounted: sources of which nothing is known.
    pairs: questions expected to pass the filter. notes: what the numbers rest on, one sentence each.
    """

    settings: PlanSettings
    sources: tuple[SourceEstimate, ...]
    uncounted: tuple[str, ...]
    costs: tuple[StageCost, ...]
    schemes: Mapping[str, Flops]
    reward: LmmShape | None
    pairs: float
    notes: tuple[str, ...]

    def gpu_hours(self, flops: float) -> float:
        """FLOP / (rate · efficiency), in hours."""
        return flops / (self.settings.tflops * 1e12 * self.settings.efficiency) / 3600


def make_plan(root: Root, settings: PlanSettings) -> Plan:
    """Counts every stage of a configuration; reads tables and headers, decodes and computes nothing.

    Raises:
        UsageError: the shape of a model is not known.
        RefocusError: a table is unreadable.
    """
    models = _models(root, settings)
    reward_model = models.get(root.reward.model)
    any_model = reward_model or next(iter(models.values()), None)
    if any_model is None:
        raise UsageError("the configuration uses no data set, benchmark or run: there is nothing to plan")
    found = {
        name: read_source(root, name, settings, any_model.tokens)
        for name in (*root.use.datasets, *root.use.benchmarks, *root.use.haystacks)
    }
    sources = [source for source in found.values() if source]
    training = [source for name in root.use.datasets if (source := found[name])]
    benchmarks = [source for name in root.use.benchmarks if (source := found[name])]
    costs = decode_costs(root, sources, settings)
    schemes: dict[str, Flops] = {}
    pairs, counted = pairs_kept(root, training, settings)
    if reward_model and training:
        schemes = reward_schemes(root, training, reward_model.tokens)
        costs.append(reward_cost(root, training, schemes, reward_model.shape, settings))
        for run in root.use.runs:
            costs.append(train_cost(root, run, training, pairs, models[root.run_train(run).reward_model]))
    looked_at = [source for source in benchmarks if source.name in likely_benchmarks(root)]
    picked = [*looked_at, *(source for name in root.use.haystacks if (source := found[name]))]
    needed = scores_needed(root)
    if "embeddings" in needed and picked:
        costs.append(embed_cost(root, picked))
    if "certainty" in needed and looked_at:
        costs.append(certainty_cost(root, looked_at, models[root.certainty.model]))
    costs += [select_cost(root, picked, run, count) for run, count in _asked_runs(root).items() if picked]
    costs += [answer_cost(root, benchmarks, lmm, models[lmm]) for lmm in root.use.lmms if benchmarks]
    if looked_at and (runs := likely_runs(root)):
        costs += [likelihood_cost(root, looked_at, run) for run in runs]
        if root.likelihood.percents:
            costs += [bins_cost(root, looked_at, lmm, models[lmm]) for lmm in root.use.lmms]
    return Plan(
        settings,
        tuple(sources),
        tuple(name for name, source in found.items() if source is None),
        tuple(costs),
        schemes,
        reward_model.shape if reward_model else None,
        pairs,
        tuple(_notes(root, settings, sources, models, pairs, counted)),
    )


def _models(root: Root, settings: PlanSettings) -> dict[str, Model]:
    """Every LMM that scores, rewards, is asked by frame or answers, with prompts as long as anything asks of it."""
    names = [root.reward.model] if root.use.datasets else []
    names += [root.certainty.model] if "certainty" in scores_needed(root) else []
    names += [*root.use.lmms, *(root.run_train(run).reward_model for run in root.use.runs)]
    longest = max(
        [root.reward.frames_per_subset, *root.answer.n_frames, *(root.run_train(r).picks for r in root.use.runs)]
    )
    models = {}
    for name in dict.fromkeys(names):
        path = root.lmms[name].path
        shape, known_from = lmm_shape(path)
        models[name] = Model(shape, prompt_tokens(path, shape, longest, settings), known_from)
    return models


def _asked_runs(root: Root) -> dict[str, int]:
    """Runs whose policy is asked for frames, and by how many selectors."""
    counts: dict[str, int] = {}
    for selector in root.use.selectors:
        name = SelectorName.parse(selector)
        if name.run and name.asks_policy:
            counts[name.run] = counts.get(name.run, 0) + 1
    return counts


def _notes(
    root: Root,
    settings: PlanSettings,
    sources: Sequence[SourceEstimate],
    models: Mapping[str, Model],
    pairs: float,
    counted: bool,
) -> list[str]:
    notes = [
        f"GPU-hours = FLOP / ({settings.tflops:g} TFLOP/s x {settings.efficiency:.0%}); not counted: loading models, "
        "waiting for frames, validation during training, and stages that only read tables (filter, recall, tables, "
        "figures)"
    ]
    for section in ("train", "select", "likelihood"):
        if root.use.runs and getattr(root, section).precision == "float32":
            notes.append(f"{section}.precision is float32: on a GPU it takes longer than is counted, which is bf16")
    for source in sources:
        if not source.ingested:
            guess = guess_of(root, source.name, settings)
            note = guess.note if guess and guess.note else "no source given"
            notes.append(f"{source.name} is not ingested; plan.sources says: {note}")
    for place, text in KNOWN_FROM.items():
        names = [source.name for source in sources if source.known_from.get(place)]
        if names:
            notes.append(f"frames per clip from {text}: {', '.join(names)}")
    for name, model in models.items():
        counted_by = "its own tokenizer" if model.tokens.tokenizer else "assumed lengths (plan.*_tokens)"
        notes.append(f"{name}: {model.known_from}; prompts by {counted_by}")
    for start, policy in {root.run_policy(run).start: root.run_policy(run) for run in root.use.runs}.items():
        notes.append(f"policy {start}: {policy_shape(policy)[1]}")
    if root.use.runs:
        how = "counted in pairs.parquet" if counted else f"assumed: {settings.kept_share:.1%} (plan.kept_share)"
        notes.append(f"training on {pairs:,.0f} pairs, {how}")
        notes.append(
            "training: gradient_checkpointing `auto` is counted as if nothing were kept: one more forward pass"
        )
    notes.append(
        f"decode: {settings.decode_speed:g} s of video per core second; frames of {settings.jpeg_frame_kb:g} kB "
        f"({settings.video_frame_kb:g} kB as videos), reward rows of {settings.margin_row_bytes:g} bytes, where "
        "nothing is decoded yet"
    )
    return notes
