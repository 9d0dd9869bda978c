"""The model card of a trained policy: README.md with the metadata that the Hugging Face hub reads, from provenance.

Every number in it comes from the run's own records. What is not known is said to be unknown.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from refocus.core.model_folder import split_revision
from refocus.policy.provenance import DataSet, Provenance, UsedModel
from refocus.policy.trained_for import TrainedFor
from refocus.qa.licences import UNKNOWN, terms_of

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

LIBRARY = "refocus"
PIPELINE = "video-text-to-text"  # of the hub's tasks the one that takes a video and a question
TAGS = ("frame-selection", "keyframe-selection", "video-understanding", "reinforcement-learning", "mamba-2", "refocus")
PAPER = "arxiv:2506.01274"
REPOSITORY = "OWNER/NAME"  # in the card until it is pushed
RESULTS = "## Results"
NO_RESULTS = "No tables of benchmarks were added to this card (`refocus push --tables DIR` adds them)."
SHOWN_SETTINGS = (  # of the section `train`
    "reward", "candidates", "picks", "curriculum", "batch", "updates", "epochs", "max_steps", "temperature",
    "entropy_weight", "advantage_scale", "lr_pretrained", "lr_new", "precision", "save_dtype",
)  # fmt: skip
WHY_LEFT_OUT = {  # by the filter, whatever a question's variance
    "duplicate": "copies of another question",
    "leaked": "about a video that a benchmark has too",
    "too_short": "too few subsets of their clip's frames",
    "no_reward": "without rewards",
    "not_finite": "a logit that is not finite",
}


def card_of(made: Provenance, trained_for: TrainedFor | None) -> "ModelCard":
    """The card of a policy that training wrote."""
    sections = (
        _head(made),
        use(trained_for),
        _data(made),
        _filter(made),
        _validation(made),
        f"{RESULTS}\n\n{NO_RESULTS}",
        _limits(made),
        _licences(made),
        _settings(made),
        _origin(made),
    )
    return _card(metadata(made), sections)


def card_of_weights(repo_id: str, values: Mapping[str, Any]) -> "ModelCard":
    """The card of a policy of which no record came with its weights; values: of its metadata."""
    head = (
        "# A frame selector for video language models\n\n"
        "Pushed from memory by `FramePolicy.push_to_hub`: **no record of its training came with the weights**, so this "
        "card says nothing of its data, its results or its limits. `refocus push` uploads the folder of a training run "
        "with its record."
    )
    return _card({**metadata(None), **values}, (head, use(None).replace(REPOSITORY, repo_id)))


def metadata(made: Provenance | None) -> dict[str, Any]:
    """The card's front matter. The licence of the weights is `unknown` until who shares them names one."""
    values: dict[str, Any] = {"license": UNKNOWN, "library_name": LIBRARY, "pipeline_tag": PIPELINE}
    values["tags"] = [*TAGS, *(["synthetic-world"] if made is not None and made.is_synthetic else []), PAPER]
    if made is None:
        return values
    if made.base.hub:
        values["base_model"] = split_revision(made.base.name)[0]
    hubs = dict.fromkeys(terms_of(data.format).hub for data in made.data if not data.synthetic)
    if named := [hub for hub in hubs if hub]:
        values["datasets"] = named
    return values


def use(trained_for: TrainedFor | None) -> str:
    """How the policy is asked."""
    lines = [
        "## Use",
        "",
        "```python",
        "from refocus import FrameSelector",
        "",
        f'selector = FrameSelector.from_pretrained("{REPOSITORY}")  # or the folder that holds this file',
        'picks = selector.select("video.mp4", "What does she pick up after the cup?")',
        "picks.images(), picks.timestamps_s",
        "```",
    ]
    if trained_for is not None:
        lines += [
            "",
            f"It learned to pick **{trained_for.n_frames} frames** of at most {trained_for.max_frames} candidates, "
            f"sampled at {trained_for.fps:g} frames a second at most, {trained_for.size}x{trained_for.size} pixels "
            f"({trained_for.resize}). `selection.json` says so too, and another sampling is refused.",
        ]
    return "\n".join(lines)


def with_results(text: str, made: Provenance, files: Sequence[str], main: str | None) -> str:
    """A card's text with tables in place of what its section of results holds.

    Args:
        files: their paths beside the card. main: the Markdown of the one that the card itself shows.
    """
    lines = [
        f"Tables of the workflow that trained it: {', '.join(f'[{file}]({file})' for file in files)}. Their row "
        f"`refocus/{made.run}` is of the policy after the last step"
        + ("." if made.state == "policy" else ", **not of these weights**, which are those of the best validation.")
    ]
    body = "\n\n".join([*lines, *([main.strip()] if main else [])])
    before, found, after = text.partition(f"{RESULTS}\n")
    if not found:
        return f"{text.rstrip()}\n\n{RESULTS}\n\n{body}\n"
    _, next_section, rest = after.partition("\n## ")
    return f"{before}{RESULTS}\n\n{body}\n{next_section}{rest}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _card(values: Mapping[str, Any], sections: Iterable[str]) -> "ModelCard":
    from huggingface_hub import ModelCard, ModelCardData

    front = ModelCardData(**values).to_yaml()
    return ModelCard(f"---\n{front}\n---\n\n" + "\n\n".join(sections) + "\n")


def _head(made: Provenance) -> str:
    text = (
        "# A frame selector for video language models\n\n"
        "Given a video and a question, it picks the few frames that help a video language model to answer. It was "
        f"trained by ReFoCUS ([{PAPER}](https://arxiv.org/abs/{PAPER.partition(':')[2]})): policy gradients, with the "
        f"answers of {_model(made.reward_model)} deciding the reward. No frame was labelled.\n\n"
        f"These are the weights after {made.step} of {made.steps} steps"
        + (", where the answers on held-back videos were best." if made.state == "best" else ", the end of training.")
    )
    if made.is_synthetic:
        text += (
            "\n\n**It knows nothing but the synthetic world of the demo** (moving shapes on textures): on any real "
            "video its picks mean nothing."
        )
    return text


def _data(made: Provenance) -> str:
    rows = [
        [data.name, _layout(data), data.questions, data.videos, data.held_back_questions, data.held_back_videos]
        for data in made.data
    ]
    head = ["data set", "layout", "questions", "videos", "held-back questions", "held-back videos"]
    lines = ["## What it was trained on", "", table(head, rows), ""]
    known = all(data.format for data in made.data)
    lines.append(
        "No video was both trained on and held back"
        + ("; one that several data sets have counts as one. " if known else ", as far as their paths tell. ")
        + f"Questions that could not be trained on: {_counts(made.left_out)}."
    )
    return "\n".join(lines)


def _filter(made: Provenance) -> str:
    lines = ["## Variance filter and leaks", ""]
    if made.filter is None:
        lines.append("What the variance filter did with the question pool is unknown: its summary was not at hand.")
    else:
        told, rest = made.filter, _values(made.filter.settings, without=("tau",))
        lines.append(
            f"Of {told.questions} questions, the filter kept {told.kept}: those whose margin, over their subsets of "
            f"frames, has a variance above tau = {told.settings.get('tau')} ({rest})."
        )
        dropped = [f"{count} {WHY_LEFT_OUT.get(name, name)}" for name, count in told.dropped_as.items() if count]
        lines.append(f"Left out whatever their variance: {', '.join(dropped) or 'none'}.")
        if not told.dropped_as.get("leaked"):
            lines.append(
                "No question was left out as a leak: no benchmark's video was found among the training videos, or the "
                "filter was given no list of leaks. Videos whose YouTube id no path tells are never found."
            )
    if made.learned_from != "filtered":
        also = {"random": "as many questions, drawn from all", "all": "all questions"}[made.learned_from]
        lines.append(
            f"**This run did not learn from what the filter kept** but from {also} with a usable variance "
            f"(`train.questions: {made.learned_from}`)."
        )
    return "\n".join(lines)


def _validation(made: Provenance) -> str:
    lines = ["## Validation", ""]
    found = made.validation
    if found is None:
        lines.append("The run did not validate these weights.")
        return "\n".join(lines)
    rows = [
        ["this policy", f"{found.accuracy:.3f}", f"{found.reward:+.3f}"],
        ["uniform, as many frames", f"{found.accuracy_uniform:.3f}", f"{found.reward_uniform:+.3f}"],
    ]
    lines += [
        f"{found.questions} questions on {found.videos} held-back videos, answered by the reward LMM itself after step "
        f"{found.step}, each asked once at temperature 1:",
        "",
        table(["frames", "answers right", "mean margin (Eq. 5)"], rows),
    ]
    if made.state == "best":
        lines += ["", "These weights were chosen by this very number, which is therefore a little too good."]
    return "\n".join(lines)


def _limits(made: Provenance) -> str:
    points = [
        f"The reward was {_model(made.reward_model)}: its mistakes and tastes are what was learned. Frames that help "
        "it need not help another model.",
        "It sees frames, neither sound nor subtitles, and candidates at the rate above: a moment between two of them "
        "is not seen.",
        "Picks are drawn, by a seed: equal seeds give equal picks on one machine.",
        "It has learned what its data show of people and places, and what they leave out; nobody examined its bias.",
    ]
    if made.is_synthetic:
        points.insert(0, "Trained in a synthetic world: of no use for real videos.")
    return "## Limits\n\n" + "\n".join(f"- {point}" for point in points)


def _licences(made: Provenance) -> str:
    rows = []
    for data in made.data:
        terms = terms_of(data.format)
        if data.synthetic:
            rows.append([data.name, "rendered and asked by `refocus world`: nobody else's data", "the same", ""])
        else:
            rows.append([f"{data.name} ({terms.title})", terms.annotations, terms.videos, terms.source or UNKNOWN])
    return "\n".join(
        [
            "## Licences of the training data",
            "",
            table(["data set", "questions", "videos", "as stated at"], rows),
            "",
            "As the publishers stated them when `refocus` wrote its table; the pages are what counts. The licence of "
            f"these weights is in the metadata above, where `{UNKNOWN}` means that who trained them named none. The "
            f"base model, {_model(made.base)}, has terms of its own.",
        ]
    )


def _settings(made: Provenance) -> str:
    train = made.settings.get("train", {})
    shown = [[f"`train.{name}`", f"`{json.dumps(train[name])}`"] for name in SHOWN_SETTINGS if name in train]
    lines = ["## Settings", "", table(["setting", "value"], [["`train.seed`", f"`{made.seed}`"], *shown]), ""]
    lines.append("All of them, with the fingerprints of what was read, are in `provenance.json`.")
    return "\n".join(lines)


def _origin(made: Provenance) -> str:
    by = made.made_by
    packages = ", ".join(f"{name} {version}" for name, version in by.get("packages", {}).items())
    rows = [
        ["started from", f"{_model(made.base)}, weights `{made.base.weights}`"],
        ["reward LMM", f"{_model(made.reward_model)}, weights `{made.reward_model.weights}`"],
        ["refocus", f"{by.get('refocus', UNKNOWN)}, commit {by.get('commit') or UNKNOWN}"],
        ["Python and packages", f"{by.get('python', UNKNOWN)}; {packages or UNKNOWN}"],
        ["processor", f"{by.get('processor') or UNKNOWN}, {made.processes} process{'es'[: 2 * (made.processes > 1)]}"],
    ]
    return "\n".join(
        ["## How it was made", "", table(["", ""], rows), "", "```sh", made.command or f"# {UNKNOWN}", "```"]
    )


def _layout(data: DataSet) -> str:
    return f"synthetic world, in the layout `{data.format}`" if data.synthetic else f"`{data.format or UNKNOWN}`"


def _model(model: UsedModel) -> str:
    if not model.hub:
        return f"`{model.name}`"
    name, revision = split_revision(model.name)
    return f"[{model.name}](https://huggingface.co/{name}{f'/tree/{revision}' if revision else ''})"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} ({reason})" for reason, count in counts.items()) or "none"


def _values(values: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if name not in without)
