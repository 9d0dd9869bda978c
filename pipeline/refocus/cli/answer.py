"""`refocus answer`: an LMM answers a benchmark's questions from the frames a selector picked."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.cli.flags import add_settings, local_path, read_settings
from refocus.config.answer import AnswerSettings
from refocus.config.lmm import LmmSettings
from refocus.config.parsing import parse, parse_json
from refocus.core.devices import claim
from refocus.core.errors import UsageError

if TYPE_CHECKING:
    from refocus.lmm.option_scorer import Lmm

HELP = "answer a benchmark's questions with an LMM from the frames a selector picked"
DESCRIPTION = """\
In:  a question table, the folder of one selector's selections (n{frames}.s{seed}.parquet), the videos, an LMM.
Out: one table of the same name per selection table: qa_id, frame_indices, logits, prediction, correct, raw_reply,
     flags, frames_indices.
     The picked frames are decoded from the videos at the LMM's own size; the prediction is the option with the
     highest logit, and raw_reply its letter. With --method generation raw_reply is what the LMM wrote, and the
     prediction the option that it names, by the rules of lmms-eval 0.7.2 or of the benchmark's authors (--extractor).
     Questions without options (Video-MMMU) are then asked too, and judged by MMMU's rule.
     A question whose video is missing is flagged and in no figure; where more than --max-failure-rate of the videos
     are missing the status is 1, without any video 2, and nothing is written.
Paper: section 4.

  refocus answer --qa qa/videomme.parquet --selections selections/videomme/uniform --videos data/videomme \\
      --model OpenGVLab/InternVL3-8B-hf --out answers/videomme/internvl3-8b/uniform
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--qa", type=Path, required=True, metavar="QA.parquet", help="question table of a benchmark")
    parser.add_argument(
        "--selections", type=Path, required=True, metavar="DIR", help="folder of one selector's selections"
    )
    parser.add_argument(
        "--n-frames", type=int, nargs="+", metavar="N", help="numbers of frames to answer with (default: all there are)"
    )
    parser.add_argument(
        "--videos", type=local_path, metavar="DIR", help="folder the question table's video paths are relative to"
    )
    stored = "index files of the stored frames; only for --pixels shard"
    parser.add_argument("--index", type=Path, nargs="+", default=[], metavar="INDEX.parquet", help=stored)
    parser.add_argument("--model", metavar="DIR_OR_ID", help="the answering model (default: path in --lmm-settings)")
    parser.add_argument("--lmm-settings", metavar="JSON", help="its entry in lmms (path, family, dtype, attention)")
    parser.add_argument(
        "--lmm-name", metavar="NAME", help="its name in the tables (default: the last part of its path)"
    )
    parser.add_argument(
        "--selector", metavar="NAME", help="the selector's name in the tables (default: what the selections say)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables of answers")
    add_settings(parser, AnswerSettings, without=("n_frames",))


def run(args: argparse.Namespace) -> None:
    """Answers every question from every selection table of the folder."""
    from refocus.evaluate.answering import answer_benchmark, check_answers, check_videos, native_frames, stored_frames
    from refocus.evaluate.answers import AnswerSet, write_answers
    from refocus.evaluate.methods import method_of
    from refocus.qa.formats import format_of
    from refocus.qa.records import read_questions
    from refocus.qa.video_root import VideoRoot
    from refocus.select.selections import file_name, read_selection_folder

    settings = read_settings(args, AnswerSettings)
    stored = settings.pixels == "shard"
    if stored and not args.index:
        raise UsageError("--pixels shard needs --index")
    if not stored and args.videos is None:
        raise UsageError("name the folder of the videos with --videos")
    entry = _lmm_settings(args)
    questions = read_questions(args.qa)
    videos = VideoRoot(args.videos or Path(), args.qa)
    picked = read_selection_folder(args.selections, args.n_frames or ())
    tolerated = settings.runtime.max_failure_rate
    if not stored:
        check_videos(questions, picked.chosen, videos, tolerated)
    lmm = _load(entry, settings)
    pixels = stored_frames(args.index, lmm.frame_size) if stored else native_frames(videos, lmm.frame_size)
    method = method_of(settings, format_of(args.qa, questions[0].dataset if questions else ""))
    found = answer_benchmark(lmm, questions, picked.chosen, pixels, method)
    check_answers(questions, picked.chosen, found, tolerated)
    for n, answers in found.items():
        made = AnswerSet(
            benchmark=questions[0].dataset if questions else args.qa.stem,
            lmm=args.lmm_name or Path(entry.path).name,
            lmm_path=entry.path,
            selector=args.selector or picked.selector,
            frames=n,
            seed=picked.seed,
            answers=answers,
            extractor=settings.extractor if settings.method == "generation" else None,
        )
        write_answers(args.out / file_name(n, picked.seed), made, {**settings.identity(), "lmm": entry.identity()})


def _lmm_settings(args: argparse.Namespace) -> LmmSettings:
    values = parse_json(args.lmm_settings, "--lmm-settings")
    if args.model:
        values["path"] = args.model
    if "path" not in values:
        raise UsageError("name the answering model with --model")
    return parse(LmmSettings, values)


def _load(entry: LmmSettings, settings: AnswerSettings) -> "Lmm":
    import torch

    from refocus.lmm.option_scorer import load_lmm_entry

    runtime = settings.runtime
    claim(runtime.device)
    torch.set_num_threads(runtime.threads)
    return load_lmm_entry(entry, runtime.device, runtime.batch_tokens)
