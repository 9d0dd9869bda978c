"""The map of the results folder: where every stage's files are, for the rules and for whoever reads them.

Each is written as Snakemake writes it, `<results>/…/{wildcard}`. Rules name them (`RESULTS.INDEX`), fill them in
(`RESULTS.QUESTIONS.fill(dataset=name)`) or `expand` them; Python opens them (`INDEX.at(results, dataset=…, shard=…)`),
and a command that was told a folder takes the name alone (`INDEX.inside(folder, …)`).
"""

import os
from pathlib import Path

ROOT = "<results>/"


class ResultsFile(str):
    """A file or folder of the results folder, with wildcards in braces."""

    __slots__ = ()

    def fill(self, **names: str | int) -> "ResultsFile":
        """The same with some of its wildcards filled in; the others stay."""
        text = str(self)
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", str(value))
        return ResultsFile(text)

    def at(self, results: str | os.PathLike[str], **names: str | int) -> Path:
        """Where it is below a results folder; all wildcards must be given."""
        return Path(results) / self.removeprefix(ROOT).format(**names)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.rpartition("/")[2]

    def inside(self, folder: str | os.PathLike[str], **names: str | int) -> Path:
        """The file of that name in another folder."""
        return Path(folder) / self.name.format(**names)


# Synthetic world and ingest
WORLD = ResultsFile("<results>/world")
NIAH = ResultsFile("<results>/niah")
QUESTIONS = ResultsFile("<results>/qa/{dataset}.parquet")
REJECTS = ResultsFile("<results>/qa/{dataset}.rejects.parquet")
CLIPS = ResultsFile("<results>/qa/{dataset}.clips.parquet")
EVIDENCE = ResultsFile("<results>/qa/{dataset}.evidence.parquet")
SHARD_LISTS = ResultsFile("<results>/qa/shards/{dataset}")
SHARD_QUESTIONS = ResultsFile("<results>/qa/shards/{dataset}/{shard}.qa.parquet")
SHARD_CLIPS = ResultsFile("<results>/qa/shards/{dataset}/{shard}.clips.parquet")

# Screening
DUPLICATES = ResultsFile("<results>/screened/duplicates.parquet")
DUPLICATES_SUMMARY = ResultsFile("<results>/screened/duplicates.json")
LEAKS = ResultsFile("<results>/screened/leaks.parquet")
LEAKS_SUMMARY = ResultsFile("<results>/screened/leaks.json")

# Frames, margins, filter
INDEX = ResultsFile("<results>/frames/{dataset}/{shard}.index.parquet")
MARGINS = ResultsFile("<results>/reward/{model}/{dataset}/{shard}.parquet")
SKIPPED = ResultsFile("<results>/reward/{model}/{dataset}/{shard}.skipped.parquet")
VARIANCE = ResultsFile("<results>/filtered/{model}/variance.parquet")
PAIRS = ResultsFile("<results>/filtered/{model}/pairs.parquet")
FILTER_SUMMARY = ResultsFile("<results>/filtered/{model}/summary.json")
SENSITIVITY_CSV = ResultsFile("<results>/filtered/{model}/sensitivity.csv")
SENSITIVITY_MD = ResultsFile("<results>/filtered/{model}/sensitivity.md")

# Training: `state` is `policy` (after the last step) or `initial` (before the first update)
RUN = ResultsFile("<results>/train/{run}")
POLICY = ResultsFile("<results>/train/{run}/{state}")
POLICY_CONFIG = ResultsFile("<results>/train/{run}/{state}/config.json")
POLICY_WEIGHTS = ResultsFile("<results>/train/{run}/{state}/model.safetensors")
METRICS = ResultsFile("<results>/train/{run}/metrics.jsonl")
GROUPS = ResultsFile("<results>/train/{run}/groups.jsonl")
CURVES = ResultsFile("<results>/train/{run}/curves.png")

# Evaluation and report
EMBEDDINGS = ResultsFile("<results>/embeddings/{scorer}/{dataset}/{shard}.parquet")
CERTAINTY = ResultsFile("<results>/certainty/{model}/{dataset}/{shard}.parquet")
SELECTIONS = ResultsFile("<results>/selections/{benchmark}/{selector}/n{frames}.s{seed}.parquet")
SELECTION_COST = ResultsFile("<results>/selections/{benchmark}/{selector}/cost.json")
LIKELIHOOD = ResultsFile("<results>/likelihood/{benchmark}/{run}.n{frames}.parquet")
INITIAL_LIKELIHOOD = ResultsFile("<results>/likelihood/{benchmark}/initial/{run}.n{frames}.parquet")
BIN_ANSWERS = ResultsFile("<results>/bins/{benchmark}/{lmm}/{run}/{bin}.parquet")
ANSWERS = ResultsFile("<results>/answers/{benchmark}/{lmm}/{selector}/n{frames}.s{seed}.parquet")
TABLES = ResultsFile("<results>/tables")
TABLE = ResultsFile("<results>/tables/{table}.{suffix}")
FIGURES = ResultsFile("<results>/figures")
FIGURE = ResultsFile("<results>/figures/{figure}.{suffix}")
REPORT = ResultsFile("<results>/report")

# Tiny models of the synthetic world, made by `make assets`
ASSETS = ResultsFile("<results>/assets")
ASSET = ResultsFile("<results>/assets/{asset}/{file}")
ASSETS_MANIFEST = ResultsFile("<results>/assets/manifest.json")

# Undeclared: what is kept under the fingerprint of what it depends on, and what Snakemake notes of its jobs
STORE = ResultsFile("<results>/store")
KEPT_SHARDS = ResultsFile("<results>/store/shards/{dataset}.parquet")
KEPT_FRAMES = ResultsFile("<results>/store/frames/{fingerprint}/{dataset}")
KEPT_MARGINS = ResultsFile("<results>/store/reward/{fingerprint}/{dataset}")
KEPT_CHECKPOINTS = ResultsFile("<results>/store/train/{fingerprint}")
LOGS = ResultsFile("<results>/logs")
BENCHMARKS = ResultsFile("<results>/benchmarks")


def shard_name(number: int) -> str:
    """A shard's number as its files are named: six digits."""
    return f"{number:06d}"
