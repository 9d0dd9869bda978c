"""What the scores of training-free selectors cost: every frame of a benchmark through a tower, or through an LMM."""

from collections.abc import Sequence

from refocus.config.root import Root
from refocus.config.selectors import Need, SelectorName
from refocus.core.errors import UsageError
from refocus.core.model_folder import CONFIG, find_folder, local_folder, read_json, split_revision
from refocus.plan.flops import Flops, tower_flops, triangle
from refocus.plan.model_shapes import Tower, square_tower
from refocus.plan.source_lengths import SourceEstimate
from refocus.plan.stage_costs import Model, StageCost, of_model, summed
from refocus.qa.planned_shards import planned_shards

SO400M = Tower(layers=27, width=1152, ffn=4304, tokens=729, patches=729, patch=14)
VECTOR_BYTES = 2  # per number of a vector: float16
CERTAINTY_BYTES = 4  # per question and frame: float32
TOWERS = {"google/siglip-so400m-patch14-384": SO400M, "google/siglip2-so400m-patch14-384": SO400M}


def scores_needed(root: Root) -> set[Need]:
    """What the selectors in use read that has to be computed once: `embeddings`, `certainty`."""
    needs = {SelectorName.parse(selector).needs for selector in root.use.selectors}
    return {need for need in needs if need in ("embeddings", "certainty")}


def scorer_tower(path: str) -> Tower:
    """The vision tower of a scorer.

    Raises:
        UsageError: neither a folder nor one of `TOWERS`.
    """
    if local_folder(path) is not None:
        values = read_json(find_folder(path) / CONFIG)
        return square_tower(values["vision_config"], class_token=values.get("model_type") == "clip")
    if (tower := TOWERS.get(split_revision(path)[0])) is not None:
        return tower
    raise UsageError(f"{path}: the shape of this scorer is not known; give a folder, or one of {', '.join(TOWERS)}")


def _vector_width(path: str) -> int:
    """Numbers of one embedding: CLIP projects what its tower gives, SigLIP does not."""
    values = read_json(find_folder(path) / CONFIG) if local_folder(path) is not None else {}
    return int(values["projection_dim"]) if "projection_dim" in values else scorer_tower(path).width


def embed_cost(root: Root, benchmarks: Sequence[SourceEstimate]) -> StageCost:
    """Every kept frame through the scorer's tower, once per clip (naive: once per question), and its vector on disk.

    Texts are not counted.
    """
    each = tower_flops(scorer_tower(root.scorers[root.embed.model].path))
    groups = [group for source in benchmarks for group in source.groups]
    frames = sum(group.clips * group.n_frames for group in groups)
    naive = sum(group.questions * group.n_frames for group in groups)
    return StageCost(
        "embed",
        root.embed.model,
        sum(planned_shards(root, source.name) for source in benchmarks),
        clips=sum(group.clips for group in groups),
        frames=frames,
        flops=frames * each,
        naive_frames=naive,
        naive_flops=naive * each,
        disk_bytes=VECTOR_BYTES * frames * _vector_width(root.scorers[root.embed.model].path),
    )


def certainty_cost(root: Root, benchmarks: Sequence[SourceEstimate], model: Model) -> StageCost:
    """Every question with every kept frame through an LMM.

    Ours: a frame is encoded, and read by the LMM, once for all questions of its clip. Naive: once per question.
    """
    start = model.tokens.starts[1]
    lines = []
    for group in (group for source in benchmarks for group in source.groups):
        t, prefix = group.n_frames, Flops(frames=1, tokens=start, pairs=triangle(start))
        suffixes = Flops(tokens=group.tokens, pairs=start * group.tokens + group.pairs, rows=group.questions)
        ours, naive = (prefix * (t * times) + suffixes * t for times in (group.clips, group.questions))
        lines.append(of_model(group.clips, ours, naive, model))
        lines.append(StageCost("", "", 0, disk_bytes=CERTAINTY_BYTES * t * group.questions))
    shards = sum(planned_shards(root, source.name) for source in benchmarks)
    return summed("certainty", root.certainty.model, shards, lines)
