"""`refocus select`: frames of a video that answer a question; of many videos, or for many questions, a table."""

import argparse
import glob
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.cli.flags import add_settings, add_training_free, local_path, read_settings, read_training_free
from refocus.config.select import SelectSettings
from refocus.config.selectors import OPTIONS, SelectorName
from refocus.core.counted import counted
from refocus.core.devices import claim
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import check_place
from refocus.core.progress import bar

if TYPE_CHECKING:
    from refocus.select.frame_selector import Ask, FrameSelector
    from refocus.select.question_list import AskedVideo
    from refocus.select.video_selection import VideoSelection

HELP = "pick the frames of a video that answer a question"
DESCRIPTION = """\
In:  a video file and a question.
Out: the picked frames on standard output (--json for machines), as pictures (--save-frames, --contact-sheet) or as a
     short video of their moments (--clip).
     The JSON gives timestamps_s (seconds of the file), frames_indices (numbers of the frames in the file from 0: what a
     decoder takes; source_frames is the same), pick_order (these numbers as they were picked), candidate_indices (their
     places among the candidates), pick_rank, score and the likelihood of every candidate; docs/data_dictionary.md.

  refocus select lecture.mp4 "What is on the board?" --option "a map" --option "a formula" --frames 8
  refocus select lecture.mp4 "When does she show the chart?" --selector siglip2-aks --contact-sheet picks.png
  refocus select lecture.mp4 "What is on the board?" --model results/train/demo/policy

Many videos, or many questions: one table, .parquet or .jsonl. A video that cannot be decoded has its error in its rows,
and the command ends with status 1 when all others are done. What is done of a command that was ended lies in
PICKS.parts until the same command finishes it.

  refocus select 'talks/*.mp4' "When does she show the chart?" --out picks.parquet
  refocus select --questions questions.csv --videos talks --out picks.parquet

Paper: section 3.2 and Algorithm 2. Frames come from min(4 fps, 512) candidates, sampled once at temperature 1.
`refocus select-benchmark` picks for a benchmark of the workflow, from its stored frames.
"""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("words", nargs="*", metavar="VIDEO … QUESTION", help="video files (or patterns in quotes), and a question")
    add("--option", action="append", default=[], metavar="TEXT", help="an answer option; repeat for each")
    add("--questions", type=Path, metavar="FILE", help="a table with the columns video, question, options and id")
    add("--videos", type=local_path, metavar="DIR", help="the folder that videos in --questions are relative to")
    add("--frames", type=int, metavar="N", help="how many frames to pick (default: what the policy learned, else 8)")
    from refocus.select.by_name import known_names

    add(
        "--selector",
        metavar="NAME",
        help=f"what picks, if no policy: {known_names()}; siglip2-, siglip- or clip- before it name what it asks",
    )
    add(
        "--model",
        metavar="DIR_OR_ID",
        help="folder or hub id: of a policy; with --selector, of the CLIP, SigLIP or LMM that it asks (default: "
        "a small SigLIP 2 from the hub, which needs no policy; where it cannot be had, the tiny policy of the "
        "synthetic world)",
    )
    add("--revision", metavar="REV", help="branch, tag or commit of --model, where that is a policy of the hub")
    out = parser.add_argument_group("output")
    out.add_argument("--json", action="store_true", help="print JSON instead of text")
    out.add_argument("--contact-sheet", type=Path, metavar="OUT.png", help="write the picked frames as one picture")
    out.add_argument(
        "--save-frames", type=Path, metavar="DIR", help="write the picked frames as JPEG, at native size and aspect"
    )
    out.add_argument("--clip", type=Path, metavar="OUT.mp4", help="write the moments of the picks as a silent video")
    out.add_argument(
        "--clip-seconds", type=float, default=2.0, metavar="S", help="of each moment in --clip (default: %(default)s)"
    )
    out.add_argument("--out", type=Path, metavar="PICKS", help="the table for many videos: .parquet or .jsonl")
    add_training_free(parser)
    add_settings(parser, SelectSettings)


def run(args: argparse.Namespace) -> None:
    """Picks for one video, or for many; what is asked for is checked before a model is loaded."""
    from refocus.select.question_list import check_ending

    settings, asked = read_settings(args, SelectSettings), _asked(args)
    many = args.out is not None or len(asked) > 1 or len(asked[0].asks) > 1
    if args.frames is not None and args.frames < 1:
        raise UsageError(f"--frames takes a positive number (got {args.frames})")
    if many:
        if args.out is None:
            raise UsageError(f"{len(asked)} videos need --out PICKS.parquet (or .jsonl), one row for each question")
        check_ending(args.out)
        check_place(args.out)
        one_video = {"--json": args.json, "--contact-sheet": args.contact_sheet, "--save-frames": args.save_frames}
        for flag, given in {**one_video, "--clip": args.clip}.items():
            if given:
                raise UsageError(f"{flag} is for one video and one question; with --out there is a table")
    else:
        _check_pictures(args)
    claim(settings.runtime.device)
    selector = _selector(args, settings)
    if many:
        _table(args, selector, asked)
    else:
        _one_video(args, selector, asked[0])


def _check_pictures(args: argparse.Namespace) -> None:
    from refocus.select.frame_files import check_no_frames

    if args.clip_seconds <= 0:
        raise UsageError(f"--clip-seconds takes a positive number (got {args.clip_seconds})")
    for flag, path, ending in (("--contact-sheet", args.contact_sheet, ".png"), ("--clip", args.clip, ".mp4")):
        if path is not None:
            if path.suffix != ending:
                raise UsageError(f"{flag} takes a name that ends with {ending} (got {path})")
            check_place(path)
    if args.save_frames is not None:
        check_place(args.save_frames, folder=True)
        check_no_frames(args.save_frames)


def _asked(args: argparse.Namespace) -> "list[AskedVideo]":
    """The videos, each with its questions."""
    from refocus.select.frame_selector import Ask
    from refocus.select.question_list import AskedVideo, read_questions

    if args.questions is not None:
        if args.words or args.option:
            raise UsageError("with --questions, videos, questions and options stand in its file")
        return read_questions(args.questions, args.videos)
    if args.videos is not None:
        raise UsageError("--videos belongs to --questions; name the videos themselves before the question")
    if len(args.words) < 2:
        raise UsageError("name a video and a question (in quotes), or a table of questions with --questions")
    *videos, question = args.words
    if not question.strip():
        raise UsageError("the question is empty")
    if os.path.isfile(question):
        raise UsageError(f"{question} is a file, and the last word is the question (in quotes)")
    ask = Ask.of(Ask(question, tuple(args.option)))
    return [AskedVideo(path, (ask,)) for word in videos for path in _files(word, alone=len(videos) == 1)]


def _files(word: str, alone: bool) -> list[Path]:
    """The file, or the files, that a word names."""
    from refocus.select.video_source import existing_file

    pattern = glob.has_magic(word) and not os.path.exists(word)
    try:
        found = [existing_file(path) for path in (sorted(glob.glob(word, recursive=True)) if pattern else [word])]
        if not found:
            raise UsageError(f"no file matches {word}")
        return found
    except UsageError as error:
        raise error if alone else UsageError(f"{error} (videos come first, then one question, in quotes)") from None


def _selector(args: argparse.Namespace, settings: SelectSettings) -> "FrameSelector":
    from refocus.select.by_name import known_names, without_training
    from refocus.select.frame_selector import FrameSelector

    if args.selector is not None and without_training(args.selector)[0] is None:
        try:
            wrong = f"{SelectorName.parse(args.selector)} picks for a benchmark only"
        except UsageError:
            wrong = f"no selector is called '{args.selector}'"
        raise UsageError(f"{wrong}; a video is asked about with {known_names()}, or a policy (--model, no --selector)")
    if args.revision is not None and (args.model is None or args.selector is not None):
        raise UsageError(
            "--revision is of the policy that --model names; what a --selector asks has its own, --model OWNER/NAME@REV"
        )
    numbers = read_training_free(args)
    return FrameSelector.from_pretrained(
        args.selector, model=args.model, settings=settings, training_free=numbers, revision=args.revision
    )


def _one_video(args: argparse.Namespace, selector: "FrameSelector", asked: "AskedVideo") -> None:
    video, ask = asked.video, asked.asks[0]
    encoded = selector.encode(video)
    selection = selector.select(encoded, ask.question, ask.options, args.frames)
    wanted = selector.n_frames if args.frames is None else args.frames
    if len(selection.timestamps_s) < wanted:
        log.info("fewer than %d: all candidate frames that the video has are picked", wanted)
    if len(selection.timestamps_s) > wanted:
        log.info("%s hands over all that a selector would look at, whatever --frames says", selector.name)
    if (args.selector or "").endswith(OPTIONS) and not ask.options:
        log.info("no --option is given, so %s compares with the question alone", selector.name)
    written = _pictures(args, selector, video, ask.options, selection)
    if args.json:
        sys.stdout.write(
            json.dumps(_as_json(args, selector, selection, ask, encoded.n_candidates), ensure_ascii=False) + "\n"
        )
        return
    from refocus.select.contact_sheet import clock

    lines = [f"{len(selection.timestamps_s)} of {encoded.n_candidates} candidate frames of {video}, by {selector.name}"]
    lines += [f"NOTE: {selector.warning}."] if selector.warning else []
    lines += ["", f"{'time':>10}  {'seconds':>9}  {'frame':>7}  {'pick':>4}"]
    for second, source, rank in zip(selection.timestamps_s, selection.source_frames, selection.pick_rank, strict=True):
        lines.append(f"{clock(second):>10}  {second:>9.3f}  {source:>7}  {rank:>4}")
    sys.stdout.write("\n".join([*lines, *([""] if written else []), *written]) + "\n")


def _pictures(
    args: argparse.Namespace, selector: "FrameSelector", video: Path, options: Sequence[str], picked: "VideoSelection"
) -> list[str]:
    """Writes what is to be seen; a line for each."""
    written = []
    if args.contact_sheet:
        from refocus.select.contact_sheet import write_sheet

        letters = [f"{chr(ord('A') + number)}. {option}" for number, option in enumerate(options)]
        notes = [f"Note: {selector.warning}"] if selector.warning else []
        write_sheet(args.contact_sheet, picked.arrays(), picked.timestamps_s, [args.words[-1], *letters, *notes])
        written.append(f"contact sheet: {args.contact_sheet}")
    if args.save_frames:
        from refocus.select.frame_files import save_frames

        saved = save_frames(args.save_frames, video, picked.frames_indices, picked.timestamps_s)
        written.append(f"{len(saved)} frames: {args.save_frames}")
    if args.clip:
        from refocus.select.moments import spans_around, write_moments

        length = picked.file.duration_s or max(picked.timestamps_s) + args.clip_seconds
        write_moments(args.clip, video, spans_around(picked.timestamps_s, args.clip_seconds, length))
        written.append(f"moments: {args.clip}")
    return written


def _as_json(
    args: argparse.Namespace, selector: "FrameSelector", picked: "VideoSelection", ask: "Ask", candidates: int
) -> dict[str, Any]:
    names = ("timestamps_s", "source_frames", "candidate_indices", "pick_rank", "score", "frames_indices", "pick_order")
    embedded = args.selector is None and args.model is None and selector.name == "refocus"
    return {
        **{name: getattr(picked, name) for name in names},
        **asdict(picked.file),
        "likelihood": asdict(picked.likelihood) if picked.likelihood else None,
        "question": ask.question,
        "options": list(ask.options),
        "candidates": candidates,
        "selector": selector.name,
        "model": "embedded" if embedded else args.model,
        "selector_digest": selector.digest,
        "warning": selector.warning,
    }


def _table(args: argparse.Namespace, selector: "FrameSelector", asked: "list[AskedVideo]") -> None:
    from refocus.select.kept_rows import KeptRows
    from refocus.select.question_list import rows_of, write_rows

    wanted = selector.n_frames if args.frames is None else args.frames
    kept = KeptRows(args.out, {"selector": selector.digest, "reader": selector.reader, "n_frames": wanted})
    done = [kept.read(one) for one in asked]
    left = [one for one, rows in zip(asked, done, strict=True) if rows is None]
    if len(left) < len(asked):
        log.info("%d of %d videos are done, by a run that was ended", len(asked) - len(left), len(asked))
    made = selector.select_batch(((one.video, one.asks) for one in left), args.frames)
    fresh: list[list[dict[str, Any]]] = []
    failed = 0
    for one, selections in zip(left, bar(made, total=len(left), desc="select", unit="video"), strict=True):
        fresh.append(list(rows_of(one, selections, selector)))
        if isinstance(selections, RefocusError):
            failed += 1
            log.warning("%s", selections)
        else:
            kept.write(one, fresh[-1])
    others = iter(fresh)
    rows = [row for found in done for row in (next(others) if found is None else found)]
    write_rows(args.out, rows)
    kept.clear()
    log.info("picks for %s about %s: %s", counted(len(rows), "question"), counted(len(asked), "video"), args.out)
    if fewer := sum(0 < len(row["frames_indices"]) < wanted for row in rows):
        log.info("%d of these got fewer than %d frames: all candidates that their videos have", fewer, wanted)
    if failed:
        raise RefocusError(f"nothing was picked of {failed} of {len(asked)} videos; the column error says why")
