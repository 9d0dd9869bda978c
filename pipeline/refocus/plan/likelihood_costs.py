"""What likelihoods cost (Eq. 10), and the answers from the likeliest and the unlikeliest frames (Fig. 4)."""

from collections.abc import Sequence

import numpy as np

from refocus.config.likelihood_runs import benchmarks_of_table3, initial_runs, likely_runs
from refocus.config.root import Root
from refocus.plan.flops import Flops, pick_flops, triangle
from refocus.plan.model_shapes import policy_shape
from refocus.plan.reward_layout import QuestionGroup
from refocus.plan.source_lengths import SourceEstimate
from refocus.plan.stage_costs import Model, StageCost, of_model, policy_on_clips, summed
from refocus.select.likelihood_bins import ALL, bins

ROW_BYTES = 8  # per question and kept frame: two float32


def likelihood_cost(root: Root, benchmarks: Sequence[SourceEstimate], run: str) -> StageCost:
    """One run's likelihoods on all benchmarks, and before training on those of Table 3.

    Per clip one pass over its frames; per question `samples` rollouts of n frames, and one parallel pass over these for
    the categoricals of Eq. 10.
    """
    config, _ = policy_shape(root.run_policy(run))
    table3 = benchmarks_of_table3(root) if run in initial_runs(root) else []
    measured = [*benchmarks, *(source for source in benchmarks if source.name in table3)]
    lines = []
    for group in (group for source in measured for group in source.groups):
        t = group.n_frames
        picks = 2 * root.likelihood.samples * min(t, root.main_n_frames)
        line = policy_on_clips(group, config, picks * pick_flops(config, t), picks)
        lines += [line, StageCost("", "", 0, disk_bytes=ROW_BYTES * t * group.questions)]
    return summed("likelihood", run, len(measured), lines)


def bins_cost(root: Root, benchmarks: Sequence[SourceEstimate], lmm: str, model: Model) -> StageCost:
    """One LMM's answers of Fig. 4, on all benchmarks and runs.

    Ours: every frame that is shown once per clip, the prefix of evenly spaced frames once per clip, the others once per
    question and bin, because questions are taken to find other frames likely. Naive: all per question and bin.
    """
    runs = len(likely_runs(root))
    lines = [_bins(root, group, model) for source in benchmarks for group in source.groups]
    return summed("bins", lmm, runs * len(benchmarks), lines * runs)


def _bins(root: Root, group: QuestionGroup, model: Model) -> StageCost:
    t, n = group.n_frames, root.main_n_frames
    regions = {one: one.region(range(t)) for one in bins(root.likelihood.percents)}
    sizes = {one: min(n, len(region)) for one, region in regions.items() if region}
    starts = {one: model.tokens.starts[size] for one, size in sizes.items()}
    missed = np.ones(t)  # by one question's bins, for frames from the unlikeliest to the likeliest
    for one, size in sizes.items():
        if one.side != ALL:
            missed[regions[one]] *= 1 - size / len(regions[one])
    even = next(size for one, size in sizes.items() if one.side == ALL)
    seen = t - (t - even) * float(missed.mean()) ** (group.questions / group.clips)
    suffixes = Flops(
        tokens=len(sizes) * group.tokens,
        pairs=sum(starts.values()) * group.tokens + len(sizes) * group.pairs,
        rows=len(sizes) * group.questions,
    )
    prefixes = {one: Flops(tokens=start, pairs=triangle(start)) for one, start in starts.items()}
    own = sum((prefix for one, prefix in prefixes.items() if one.side != ALL), Flops())
    shared = next(prefix for one, prefix in prefixes.items() if one.side == ALL)
    ours = Flops(frames=seen) * group.clips + shared * group.clips + own * group.questions + suffixes
    naive = (Flops(frames=sum(sizes.values())) + shared + own) * group.questions + suffixes
    return of_model(group.clips, ours, naive, model)
