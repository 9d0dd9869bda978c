"""`refocus select-benchmark`: frames for every question of a benchmark, from its stored frames."""

import argparse
import time
from pathlib import Path
from typing import Any

from refocus.cli.flags import add_settings, add_training_free, local_path, read_settings, read_training_free
from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName, spellings
from refocus.core.errors import UsageError
from refocus.core.results_folder import SELECTION_COST

HELP = "pick the frames that answer every question of a benchmark, from its stored frames"
DESCRIPTION = """\
In:  a question table and the index files of its stored frames.
Out: one table n{frames}.s{seed}.parquet per number of frames: qa_id, frame_indices, pick_order, timestamps_s, score,
     flags, video, video_digest, total_num_frames, fps, duration_s, frames_indices, selector, selector_digest; and
     cost.json: seconds, and passes of the models that looked at frames, embeddings and certainty included.
     docs/data_dictionary.md says what is in each column.
Paper: section 3.2 and Algorithm 2. Frames come from min(4 fps, 512) candidates, sampled once at temperature 1.

  refocus select-benchmark --qa qa/videomme.parquet --index frames/videomme/*.parquet --selector uniform \\
      --n-frames 4 8 32 --out DIR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("--qa", type=Path, required=True, metavar="QA.parquet", help="its question table")
    add("--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames")
    add(
        "--videos",
        type=local_path,
        metavar="DIR",
        help="folder of its videos, to count the frames of each; without it total_num_frames stays empty",
    )
    add(
        "--truth",
        type=Path,
        metavar="PATH",
        help="when the evidence is visible, for oracle: NAME.evidence.parquet of ingest",
    )
    made = "selection folder or files of refocus/<run>, for swapped"
    add("--from", dest="made", type=Path, nargs="+", default=[], metavar="SELECTIONS", help=made)
    add("--n-frames", type=int, nargs="+", default=[32], metavar="N", help="numbers of frames (default: 32)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the selection tables")
    add("--embeddings", type=Path, nargs="+", default=[], metavar="PATH", help="tables of `refocus embed`")
    add("--certainty", type=Path, nargs="+", default=[], metavar="PATH", help="tables of `refocus certainty`")
    add(
        "--keep-last-frame",
        action="store_true",
        help="the clip's last frame is always among the picks, in place of the one picked last (Video-MMMU shows its "
        "question there)",
    )
    add("--selector", required=True, metavar="NAME", help=f"what picks: {spellings()}")
    add("--model", metavar="DIR_OR_ID", help="folder or hub id of the policy, for selectors that ask one")
    add_training_free(parser)
    add_settings(parser, SelectSettings)


def run(args: argparse.Namespace) -> None:
    """Picks, and writes the tables."""
    from refocus.frames.frame_store import FrameStore
    from refocus.qa.records import read_questions
    from refocus.select.benchmark import check_index, frames_asked, select_benchmark, write_benchmark
    from refocus.select.build_selector import SelectorSources, build_selector
    from refocus.select.cost import Cost, SelectionCost, write_selection_cost
    from refocus.select.selector_digest import selector_digest, tuned
    from refocus.select.video_files import video_files

    if min(args.n_frames) < 1:
        raise UsageError("--n-frames takes positive numbers of frames")
    settings, name = read_settings(args, SelectSettings), SelectorName.parse(args.selector)
    questions = read_questions(args.qa)
    benchmark = questions[0].dataset if questions else args.qa.stem
    budgets = sorted(set(args.n_frames))
    store = FrameStore.open(args.index)
    check_index(questions, store, args.qa)
    sources = SelectorSources(
        truth=args.truth,
        selections=args.made,
        policy=args.model,
        embeddings=args.embeddings,
        certainty=args.certainty,
        training_free=read_training_free(args),
    )
    selector = build_selector(name, sources, settings, store, benchmark)
    files = video_files(questions, store, args.videos)
    started = time.perf_counter()
    chosen = select_benchmark(selector, questions, store, budgets, files, args.keep_last_frame)
    seconds = time.perf_counter() - started
    made = {**_computed(name, settings), **tuned(name, sources.training_free)}
    made |= {"keep_last_frame": True} if args.keep_last_frame else {}
    made |= {"selector_digest": selector_digest(str(name), made, sources.policy, sources)}
    write_benchmark(chosen, args.out, name, benchmark, made)
    frames = frames_asked(questions, store) if name.asks_policy else 0
    cost = sources.cost + Cost(seconds, frame_passes=frames)
    spent = SelectionCost(benchmark, str(name), len(questions), cost)
    write_selection_cost(SELECTION_COST.inside(args.out), spent)


def _computed(name: SelectorName, settings: SelectSettings) -> dict[str, Any]:
    """The identity of what is picked here: a policy's precision may depend on the device."""
    if not name.asks_policy:
        return settings.identity()
    from refocus.lmm.loading import find_device

    return settings.identity_on(find_device(settings.runtime.device).type)
