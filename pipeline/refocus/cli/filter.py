"""`refocus filter`: keeps the questions whose margins vary with the frames shown."""

import argparse
import logging
import sys
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.filter import FilterSettings
from refocus.core.results_folder import SKIPPED

HELP = "margins -> the questions whose variance over the subsets exceeds tau"
DESCRIPTION = """
Computes the variance of each question's margins over its frame subsets and keeps the questions strictly above tau
(paper A.1; there 98K of 962K). Writes variance.parquet (every question), pairs.parquet (the kept questions with their
variance), summary.json (kept and dropped per data set and category, the histogram, the tau that would have kept the
paper's share) and sensitivity.csv and .md (pairs kept by tau from 0.05 to 0.5) into --out. Questions that
`refocus screen` found to be copies or leaked are left out with --drop.

Example: refocus filter reward/*.parquet --qa qa/nextqa.parquet --tau 0.21 --out filtered
"""

SKIPPED_SUFFIX = SKIPPED.name.removeprefix("{shard}")

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("rewards", metavar="REWARD.parquet", nargs="+", type=Path, help="tables of `refocus reward`")
    parser.add_argument("--qa", metavar="QA.parquet", nargs="+", type=Path, required=True, help="their questions")
    parser.add_argument(
        "--drop", metavar="TABLE", nargs="+", type=Path, default=[], help="tables of `refocus screen` to leave out"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where these files go")
    add_settings(parser, FilterSettings)


def run(args: argparse.Namespace) -> None:
    """Writes the filtered set and says on stdout what was kept."""
    from refocus.core.progress import bar
    from refocus.filter.filter_summary import as_text
    from refocus.filter.pairs import write_filtered
    from refocus.filter.variance import variances

    settings = read_settings(args, FilterSettings)
    rewards = [path for path in args.rewards if not path.name.endswith(SKIPPED_SUFFIX)]
    skipped = [path for path in (path.with_suffix(SKIPPED_SUFFIX) for path in rewards) if path.is_file()]
    found = variances(rewards, settings.ddof, bar(rewards, desc="filter", unit="shard"))
    summary = write_filtered(args.out, args.qa, found, settings, args.drop, skipped)
    if summary["rewards_without_question"]:
        log.warning("%d scored questions are in none of the question files", summary["rewards_without_question"])
    sys.stdout.write(as_text(summary))
