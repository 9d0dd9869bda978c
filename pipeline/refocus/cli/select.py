"""`refocus select`: frames of one video for one question, or of a whole benchmark."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.cli.flags import add_settings, local_path, read_settings
from refocus.config.parsing import parse, parse_json
from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName, spellings
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.devices import claim
from refocus.core.errors import UsageError
from refocus.core.results_folder import SELECTION_COST

if TYPE_CHECKING:
    from refocus.select.video_picker import VideoPicker

HELP = "pick the frames of a video that answer a question, or of every question of a benchmark"
DESCRIPTION = """\
In:  a video file and a question; or, with --qa, a question table and the index files of its stored frames.
Out: the picked frames on standard output (--json for machines, --contact-sheet for eyes); or, with --qa, one
     table n{frames}.s{seed}.parquet per number of frames: qa_id, frame_indices, pick_order, timestamps_s, score, flags,
     video, video_digest, total_num_frames, fps, duration_s, frames_indices, selector, selector_digest; and cost.json:
     seconds, and passes of the models that looked at frames, embeddings and certainty included.
     Of the picks, the JSON gives timestamps_s (seconds of the file), frames_indices (numbers of the frames in the file
     from 0: what a decoder takes; source_frames is the same), pick_order (these numbers as they were picked),
     candidate_indices (their places among the candidates), pick_rank and score; docs/data_dictionary.md has it all.
Paper: section 3.2 and Algorithm 2. Frames come from min(4 fps, 512) candidates, sampled once at temperature 1.

  refocus select lecture.mp4 "What is on the board?" --option "a map" --option "a formula" --frames 8
  refocus select lecture.mp4 "What is on the board?" --selector aks --model google/siglip-so400m-patch14-384
  refocus select --qa qa/videomme.parquet --index frames/videomme/*.parquet --selector uniform \\
      --n-frames 4 8 32 --out DIR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of both modes."""
    one = parser.add_argument_group("one video")
    one.add_argument("video", nargs="?", type=Path, help="video file")
    one.add_argument("question", nargs="?", help="what is asked about it")
    one.add_argument("--option", action="append", default=[], metavar="TEXT", help="an answer option; repeat for each")
    one.add_argument("--frames", type=int, default=32, help="how many frames to pick (default: 32)")
    one.add_argument("--json", action="store_true", help="print JSON instead of text")
    one.add_argument("--contact-sheet", type=Path, metavar="OUT.png", help="write the picked frames as one picture")
    one.add_argument(
        "--save-frames", type=Path, metavar="DIR", help="write the picked frames as JPEG, at native size and aspect"
    )
    many = parser.add_argument_group("a benchmark")
    many.add_argument(
        "--qa", type=Path, metavar="QA.parquet", help="its question table; without it, one video is asked about"
    )
    many.add_argument(
        "--index", type=Path, nargs="+", default=[], metavar="INDEX.parquet", help="index files of its frames"
    )
    many.add_argument(
        "--videos",
        type=local_path,
        metavar="DIR",
        help="folder of its videos, to count the frames of each; without it total_num_frames stays empty",
    )
    many.add_argument(
        "--truth",
        type=Path,
        metavar="PATH",
        help="when the evidence is visible, for oracle: NAME.evidence.parquet of ingest",
    )
    made = "selection folder or files of refocus/<run>, for swapped"
    many.add_argument("--from", dest="made", type=Path, nargs="+", default=[], metavar="SELECTIONS", help=made)
    many.add_argument(
        "--n-frames", type=int, nargs="+", default=[32], metavar="N", help="numbers of frames (default: 32)"
    )
    many.add_argument("--out", type=Path, metavar="DIR", help="folder for the selection tables")
    many.add_argument(
        "--embeddings",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="tables of `refocus embed`",
    )
    many.add_argument(
        "--certainty", type=Path, nargs="+", default=[], metavar="PATH", help="tables of `refocus certainty`"
    )
    many.add_argument(
        "--keep-last-frame",
        action="store_true",
        help="the clip's last frame is always among the picks, in place of the one picked last (Video-MMMU shows its "
        "question there)",
    )
    parser.add_argument(
        "--selector",
        metavar="NAME",
        help=f"what picks (for one video the policy unless named; only those without training): {spellings()}",
    )
    parser.add_argument(
        "--model",
        metavar="DIR_OR_ID",
        help="folder or hub id of the policy; for one video and --selector topk, aks, bolt or mdp3 of a CLIP or "
        "SigLIP, for confidence of an LMM (default: the tiny embedded policy for one video; a benchmark needs it for "
        "selectors that ask a policy)",
    )
    parser.add_argument(
        "--training-free-settings",
        metavar="JSON",
        help="the section training_free: numbers of aks, bolt, mdp3, uniform-seen",
    )
    add_settings(parser, SelectSettings)


def run(args: argparse.Namespace) -> None:
    """Runs the mode the arguments ask for."""
    settings = read_settings(args, SelectSettings)
    if args.qa is not None:
        _benchmark(args, settings)
    else:
        _one_video(args, settings)


def _one_video(args: argparse.Namespace, settings: SelectSettings) -> None:
    from refocus.select.contact_sheet import clock, write_sheet

    if args.video is None or args.question is None:
        raise UsageError("name a video and a question, or a question table with --qa")
    claim(settings.runtime.device)
    selector = _picker(args, settings)
    selection = selector.select(args.video, args.question, args.option, args.frames)
    candidates = selector.candidates(args.video).images
    if args.contact_sheet:
        notes = [args.question, *([f"Note: {selector.warning}"] if selector.warning else [])]
        write_sheet(args.contact_sheet, candidates[list(selection.candidate_indices)], selection.timestamps_s, notes)
    if args.save_frames:
        from refocus.select.frame_files import save_frames

        save_frames(args.save_frames, args.video, selection.frames_indices, selection.timestamps_s)
    if args.json:
        model = args.model or (None if args.selector else "embedded")
        answer = {**asdict(selection), **asdict(selector.file(args.video)), "frames_indices": selection.frames_indices}
        answer |= {"pick_order": selection.pick_order, "question": args.question, "options": args.option}
        answer |= {"candidates": len(candidates), "selector": args.selector or "refocus", "model": model}
        answer |= {"selector_digest": _digest(args, settings), "warning": selector.warning}
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    lines = [f"{len(selection.timestamps_s)} of {len(candidates)} candidate frames of {args.video}"]
    lines += [f"NOTE: {selector.warning}."] if selector.warning else []
    lines += ["", f"{'time':>10}  {'seconds':>9}  {'frame':>7}  {'pick':>4}"]
    for second, source, rank in zip(selection.timestamps_s, selection.source_frames, selection.pick_rank, strict=True):
        lines.append(f"{clock(second):>10}  {second:>9.3f}  {source:>7}  {rank:>4}")
    if args.contact_sheet:
        lines += ["", f"contact sheet: {args.contact_sheet}"]
    sys.stdout.write("\n".join(lines) + "\n")


def _picker(args: argparse.Namespace, settings: SelectSettings) -> "VideoPicker":
    """A policy, or the selector that is named."""
    if args.selector is None:
        from refocus.select.frame_selector import FrameSelector, embedded_model

        return FrameSelector.from_pretrained(args.model or embedded_model(), settings)
    from refocus.select.training_free_video import TrainingFreePicker

    return TrainingFreePicker(SelectorName.parse(args.selector), args.model, settings, _training_free(args))


def _digest(args: argparse.Namespace, settings: SelectSettings) -> str:
    """The digest of the selector that answers about one video."""
    from refocus.select.frame_selector import embedded_model
    from refocus.select.selector_digest import selector_digest

    if args.selector is None:
        return selector_digest("refocus", settings.identity(), args.model or str(embedded_model()))
    tuned = _tuned(SelectorName.parse(args.selector), _training_free(args))
    return selector_digest(args.selector, {**settings.identity(), **tuned}, args.model)


def _tuned(name: SelectorName, training_free: TrainingFreeSettings) -> dict[str, Any]:
    """The numbers of a method that has any."""
    return {"training_free": training_free.identity()} if name.tunable else {}


def _training_free(args: argparse.Namespace) -> TrainingFreeSettings:
    return parse(TrainingFreeSettings, parse_json(args.training_free_settings, "--training-free-settings"))


def _benchmark(args: argparse.Namespace, settings: SelectSettings) -> None:
    from refocus.frames.frame_store import FrameStore
    from refocus.qa.records import read_questions
    from refocus.select.benchmark import frames_asked, select_benchmark, write_benchmark
    from refocus.select.build_selector import SelectorSources, build_selector
    from refocus.select.cost import Cost, SelectionCost, write_selection_cost
    from refocus.select.selector_digest import selector_digest
    from refocus.select.video_files import video_files

    if args.video is not None or args.question is not None:
        raise UsageError("benchmark mode takes no video and no question")
    for flag, value in (("--selector", args.selector), ("--index", args.index), ("--out", args.out)):
        if not value:
            raise UsageError(f"benchmark mode needs {flag}")
    if min(args.n_frames) < 1:
        raise UsageError("--n-frames takes positive numbers of frames")
    name = SelectorName.parse(args.selector)
    questions = read_questions(args.qa)
    benchmark = questions[0].dataset if questions else args.qa.stem
    budgets = sorted(set(args.n_frames))
    store = FrameStore.open(args.index)
    sources = SelectorSources(
        truth=args.truth,
        selections=args.made,
        policy=args.model,
        embeddings=args.embeddings,
        certainty=args.certainty,
        training_free=_training_free(args),
    )
    selector = build_selector(name, sources, settings, store, benchmark)
    files = video_files(questions, store, args.videos)
    started = time.perf_counter()
    chosen = select_benchmark(selector, questions, store, budgets, files, args.keep_last_frame)
    seconds = time.perf_counter() - started
    made = {**settings.identity(), **_tuned(name, sources.training_free)}
    made |= {"keep_last_frame": True} if args.keep_last_frame else {}
    made |= {"selector_digest": selector_digest(str(name), made, sources.policy, sources)}
    write_benchmark(chosen, args.out, name, benchmark, made)
    frames = frames_asked(questions, store) if name.asks_policy else 0
    cost = sources.cost + Cost(seconds, frame_passes=frames)
    spent = SelectionCost(benchmark, str(name), len(questions), cost)
    write_selection_cost(SELECTION_COST.inside(args.out), spent)
