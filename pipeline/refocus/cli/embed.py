"""`refocus embed`: frames and questions as vectors, which all similarity selectors share."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.parsing import parse, parse_json
from refocus.config.training_free import EmbedSettings, ScorerSettings
from refocus.core.devices import claim
from refocus.core.errors import UsageError

HELP = "embed frames and questions with CLIP or SigLIP, for topk, aks, bolt and mdp3"
DESCRIPTION = """\
In:  a question table, the index files of its stored frames, a CLIP or SigLIP model.
Out: one table of unit vectors: of every frame of a clip that is asked about, of every question alone, and of every
     question with each of its options behind it. What it took is in the schema metadata. `refocus select` picks from it
     in seconds, for any method and number of frames.

  refocus embed --qa qa/videomme.parquet --index frames/videomme/*.parquet \\
      --model google/siglip-so400m-patch14-384 --out embeddings.parquet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--qa", type=Path, required=True, metavar="QA.parquet", help="question table")
    parser.add_argument(
        "--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames"
    )
    parser.add_argument("--scorer-settings", metavar="JSON", help="a `scorers` entry; --model is then only its name")
    field = ScorerSettings.model_fields["dtype"]
    parser.add_argument("--dtype", metavar="DTYPE", help=f"{field.description} (default: {field.default})")
    parser.add_argument("--out", type=Path, required=True, metavar="EMBEDDINGS.parquet", help="where the vectors go")
    add_settings(parser, EmbedSettings)


def run(args: argparse.Namespace) -> None:
    """Writes the vectors of the clips that are asked about."""
    settings = read_settings(args, EmbedSettings)
    scorer = _scorer(args, settings)
    runtime = settings.runtime
    claim(runtime.device)

    import torch

    from refocus.frames.frame_store import FrameStore
    from refocus.qa.records import read_questions
    from refocus.select.benchmark import check_index
    from refocus.select.dual_encoder import load_dual_encoder
    from refocus.select.embed_clips import embed_shard
    from refocus.select.embeddings import write_embeddings

    torch.set_num_threads(runtime.threads)
    store, questions = FrameStore.open(args.index), read_questions(args.qa)
    check_index(questions, store, args.qa)
    encoder = load_dual_encoder(scorer, runtime.device, runtime.batch)
    found, cost = embed_shard(encoder, store, questions, runtime.readers)
    write_embeddings(args.out, found, cost, {**settings.identity(), "scorer": scorer.identity()})


def _scorer(args: argparse.Namespace, settings: EmbedSettings) -> ScorerSettings:
    """An entry given as JSON, else the folder or hub id given as --model; --dtype on top."""
    if args.scorer_settings:
        values = parse_json(args.scorer_settings, "--scorer-settings")
    elif args.model is not None:
        values = {"path": settings.model}
    else:
        raise UsageError("which model? Give --model DIR_OR_ID, or --scorer-settings JSON")
    return parse(ScorerSettings, values if args.dtype is None else {**values, "dtype": args.dtype})
