"""`refocus bins`: answers from the frames that a policy finds likeliest and unlikeliest."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_lmm, add_settings, local_path, read_lmm, read_settings
from refocus.config.answer import AnswerSettings
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.parsing import parse, parse_json
from refocus.core.devices import claim
from refocus.core.errors import UsageError

HELP = "answer from the frames that a policy finds likeliest and from those it finds unlikeliest (Fig. 4)"
DESCRIPTION = """\
In:  a question table, the index files of its stored frames, its videos, a table of `refocus likelihood`, a video-LMM.
Out: OUT/{bin}.parquet, a table of answers for every bin: all (evenly spaced frames of the whole clip, the baseline),
     and over-K and under-K for every K of likelihood.percents: frames evenly spaced over those above, and below, the
     K-th percentile of the likelihood.
Paper: Figure 4.

  refocus bins --qa qa/videomme.parquet --index frames/videomme/*.parquet --videos data/videomme \\
      --likelihood likelihood.parquet --model OpenGVLab/InternVL3-8B-hf --n-frames 32 --out bins
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("--qa", type=Path, required=True, metavar="QA.parquet", help="question table")
    add("--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames")
    add("--videos", type=local_path, metavar="DIR", help="folder the question table's video paths are relative to")
    add("--likelihood", type=Path, required=True, metavar="PATH", help="table of `refocus likelihood`")
    add("--run", default="", metavar="NAME", help="the training run behind it, for the figure")
    add("--likelihood-settings", metavar="JSON", help="the likelihood section: percents and ranking")
    add("--model", metavar="DIR_OR_ID", help="the answering model")
    add_lmm(parser)
    add(
        "--keep-last-frame",
        action="store_true",
        help="every clip's last frame is among the frames, inside their number: Video-MMMU shows its question there",
    )
    add("--lmm-name", metavar="NAME", help="its name in the figure (default: the last part of its path)")
    add(
        "--n-frames", dest="shown", type=int, default=32, metavar="N", help="frames per question, at most (default: 32)"
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the tables of answers")
    add_settings(parser, AnswerSettings, without=("n_frames",))


def run(args: argparse.Namespace) -> None:
    """Answers every question once per bin."""
    settings = read_settings(args, AnswerSettings)
    shares = parse(LikelihoodSettings, parse_json(args.likelihood_settings, "--likelihood-settings"))
    entry = read_lmm(args, args.model)
    stored, runtime = settings.pixels == "shard", settings.runtime
    if not stored and args.videos is None:
        raise UsageError("name the folder of the videos with --videos")
    claim(runtime.device)

    import torch

    from refocus.evaluate.answering import answer_benchmark, check_answers, check_videos, native_frames, stored_frames
    from refocus.evaluate.answers import AnswerSet, write_answers
    from refocus.evaluate.methods import method_of
    from refocus.frames.frame_store import FrameStore
    from refocus.lmm.option_scorer import load_lmm_entry
    from refocus.qa.formats import format_of
    from refocus.qa.records import read_questions
    from refocus.qa.video_root import VideoRoot
    from refocus.select.likelihood import read_likelihoods
    from refocus.select.likelihood_bins import bins, select_bin

    questions, store, made = read_questions(args.qa), FrameStore.open(args.index), read_likelihoods(args.likelihood)
    videos = VideoRoot(args.videos or Path(), args.qa)
    wanted = dict(enumerate(bins(shares.percents)))
    chosen = {
        number: select_bin(one, questions, made.rows, store, args.shown, shares.ranking, args.keep_last_frame)
        for number, one in wanted.items()
    }
    if not stored:
        check_videos(questions, chosen, videos, runtime.max_failure_rate)
    torch.set_num_threads(runtime.threads)
    lmm = load_lmm_entry(entry, runtime.device, runtime.batch_tokens)
    pixels = stored_frames(args.index, lmm.frame_size) if stored else native_frames(videos, lmm.frame_size)
    method = method_of(settings, format_of(args.qa, questions[0].dataset if questions else ""))
    found = answer_benchmark(lmm, questions, chosen, pixels, method)
    check_answers(questions, chosen, found, runtime.max_failure_rate)
    for number, answers in found.items():
        written = AnswerSet(
            benchmark=questions[0].dataset if questions else args.qa.stem,
            lmm=args.lmm_name or Path(entry.path).name,
            lmm_path=entry.path,
            selector=f"{wanted[number].name}/{args.run}",
            frames=args.shown,
            seed=shares.seed,
            answers=answers,
            extractor=settings.extractor if settings.method == "generation" else None,
        )
        notes = {**settings.identity(), "lmm": entry.identity(), "likelihood": shares.identity()}
        write_answers(args.out / f"{wanted[number].name}.parquet", written, notes)
