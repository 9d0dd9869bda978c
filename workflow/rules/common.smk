"""What the rules share: sections as parameters, names in paths, needs. No rules.

A rule's `settings` is its section as sorted JSON: what decides the result and nothing else. Its `runtime` is a function of `threads`,
which keeps it out of Snakemake's record: another batch size or device never reruns a job. Cheap stages also carry `code`, a digest of
the sources they import, comments aside; decode, reward, train, select and answer carry an integer `version` in their section.
"""

import functools
import os
import shlex
import sys

from refocus.config.identity import checkpoints_kept, frames_kept, margins_kept, model_files, weights
from refocus.config.code_digest import sources
from refocus.config.formats import adapter_module
from refocus.config.selectors import SelectorName, slug, unslug
from refocus.config.variants import to_json, variants
from refocus.core import results_folder as RESULTS
from refocus.core.files import canonical
from refocus.core.made_by import JOB
from refocus.core.project import source_root
from refocus.qa.planned_shards import planned_shards
from refocus.report import captions

# Jobs run `python -m refocus`. Where a deployment method brings an environment (`--sdm conda`), `python` is that one's,
# which holds the stage's dependencies but not the package; else it is the interpreter that runs Snakemake, activated or not.
# Snakemake records commands without this prefix, so neither where the package lies nor who runs it reruns a job.
# A scheduler that ends a job sends SIGTERM to all its processes. Bash and tee ignore it, so that they are still there when the
# stage, which takes it back (refocus/__main__.py), has saved what it has and said so.
BRINGS_PYTHON = workflow.deployment_settings.deployment_method
PYTHON = "python" if BRINGS_PYTHON else shlex.quote(sys.executable)
OWN_PYTHON = f'python() {{ {PYTHON} "$@"; }}; '
SOURCE_PATH = (
    f"export {JOB}=1 PYTHONSAFEPATH=1 PYTHONPATH={shlex.quote(str(source_root()))}${{PYTHONPATH:+:$PYTHONPATH}}; "
)
PREFIX = f"set -euo pipefail; trap '' TERM; {SOURCE_PATH}{'' if BRINGS_PYTHON else OWN_PYTHON}"
shell.prefix(PREFIX.replace("{", "{{").replace("}", "}}"))

USE = SETTINGS.use
SOURCES = [*USE.datasets, *USE.benchmarks, *USE.haystacks]
N_FRAMES = SETTINGS.answer.n_frames
TABLE_FORMATS = ("csv", "md", "tex", "html")
SEED = SETTINGS.select.seed
# What null means where a number of cores is asked for. A cluster's nodes are not counted; a job's own Snakemake, which sees all cores of
# its node, has to say what was asked for when the job was submitted.
ON_CLUSTER = workflow.remote_exec or workflow.resource_settings.cores is None
ALL_CORES = 8 if ON_CLUSTER else workflow.resource_settings.cores
STORE = str(RESULTS.STORE.at(SETTINGS.results))


wildcard_constraints:
    dataset="|".join([*SETTINGS.datasets, *SETTINGS.benchmarks]),
    benchmark="|".join(SETTINGS.benchmarks),
    model="|".join(SETTINGS.lmms),
    lmm="|".join(SETTINGS.lmms),
    scorer="|".join(SETTINGS.scorers),
    run="|".join(SETTINGS.runs),
    selector=r"[a-z0-9._-]+",
    imported="|".join(SETTINGS.imports),
    frames=r"\d+",
    shard=r"\d{6}",
    asset="siglip|lmm|policy|lmm_ov",


def section(name):
    """A stage's settings as the one parameter Snakemake compares."""
    return SETTINGS.section(name).canonical()


def runtime(settings):
    """A params function that gives the runtime part, fitted to the threads the job got; never compared."""
    return lambda wildcards, threads: canonical(fitted(settings.runtime.model_dump(mode="json"), threads))


def fitted(part, threads):
    """A runtime part that uses no more than `threads` cores: fewer threads per process first, then, without GPUs, fewer processes."""
    if "processes" not in part:
        return {**part, "threads" if "threads" in part else "workers": threads}
    processes = part["processes"] if part["device"] != "cpu" else min(part["processes"], threads)
    each = max(1, min(part["threads"], threads // processes))
    if (processes, each) != (part["processes"], part["threads"]):
        asked = f"{part['processes']} processes of {part['threads']} threads"
        say_once(f"{asked} do not fit in {threads} cores: {processes} of {each} run")
    return {**part, "processes": processes, "threads": each}


@functools.cache
def say_once(text):
    """A warning that the planning and the start of a job would repeat."""
    logger.warning(text)


def launcher(resources, threads, settings):
    """What starts a stage of several processes: the command itself, or torchrun on each of `resources.nodes` machines.

    torchrun's processes meet on the machine where the job's shell runs, the first one, at a port of this job's own.
    """
    nodes = resources.get("nodes", 1)
    if nodes == 1:
        return "python -m refocus"
    each = settings.runtime.processes
    step = [
        *(resources.get("mpi", "srun"), f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"),
        *(f"--cpus-per-task={threads}", f"--gres={resources.get('gres', f'gpu:{each}')}"),
        *(PYTHON, "-m torch.distributed.run", f"--nnodes={nodes}", f"--nproc-per-node={each}", "--rdzv-backend=c10d"),
        *("--rdzv-endpoint=$(hostname):$((20000 + ${SLURM_JOB_ID:-0} % 10000))", "-m refocus --"),
    ]
    return " ".join(step)


def cores(settings):
    """How many cores a stage asks for on each machine: its processes times their threads, or its workers; all there are where it says null."""
    part = settings.runtime.model_dump()
    wanted = part.get("threads") or part.get("workers") or ALL_CORES
    return wanted * part.get("processes", 1)


def gpus(settings):
    """How many GPUs a stage asks for on each machine: none where its runtime says cpu, else one per process."""
    return 0 if settings.runtime.device == "cpu" else getattr(settings.runtime, "processes", 1)


def times_attempt(amount):
    """A resource that grows with every retry."""
    return lambda wildcards, attempt: amount * attempt


def all_shards(name):
    """The shard ids of a data set or benchmark, which ingest makes a list for; their number is fixed by its entry."""
    return [RESULTS.shard_name(number) for number in range(SETTINGS.source(name).shards)]


@functools.cache
def shards(name):
    """Those that get jobs: none for the empty ones at the end, once ingest has told which they are."""
    return all_shards(name)[: planned_shards(SETTINGS, name)]


def planned(name):
    """A params function giving how many shards get jobs; it decides no table, so `threads` keeps it out of the record."""
    return lambda wildcards, threads: len(shards(name))


def frames_of(names):
    """The index files of the stored frames of `names`."""
    return [RESULTS.INDEX.fill(dataset=name, shard=shard) for name in names for shard in shards(name)]


def margins_of(names, model):
    """The reward tables of `names` under one LMM."""
    return [RESULTS.MARGINS.fill(model=model, dataset=name, shard=shard) for name in names for shard in shards(name)]


def spelled(file, names):
    """All shards' files of `names`, for bash to list: a command of Linux holds 128 KiB, the paths of some thousand shards do not fit."""
    found = []
    for name in names:
        folder, _, shard = str(file.fill(dataset=name).at(SETTINGS.results, shard="*")).rpartition("/")
        ids = f"{{{shards(name)[0]}..{shards(name)[-1]}}}"
        found.append(f"{shlex.quote(folder)}/{shard.replace('*', ids)}")
    return " ".join(found)


def selectors_on(benchmark):
    """The selectors that pick on a benchmark, as they stand in paths."""
    return [slug(name) for name in SETTINGS.selectors_on(benchmark)]


def selections_of(benchmark, selector):
    """One selector's tables on one benchmark, one per number of frames."""
    return [RESULTS.SELECTIONS.fill(benchmark=benchmark, selector=selector, frames=n, seed=SEED) for n in N_FRAMES]


def scores_of(file, benchmark, **model):
    """The tables of embeddings or of certainty of one benchmark, one per shard."""
    return [file.fill(dataset=benchmark, shard=shard, **model) for shard in shards(benchmark)]


def answers_of(benchmark, lmm, selector):
    """One LMM's answers from one selector's frames, one table per number of frames."""
    return [
        RESULTS.ANSWERS.fill(benchmark=benchmark, lmm=lmm, selector=selector, frames=n, seed=SEED) for n in N_FRAMES
    ]


def likelihoods_of(file, runs, benchmarks):
    """One table per run and benchmark, of the number of frames of Table 1."""
    return [file.fill(benchmark=name, run=run, frames=SETTINGS.main_n_frames) for run in runs for name in benchmarks]


def table_and_figure(table, figure):
    """A table in all its formats and a figure in those of the settings."""
    return [
        *(RESULTS.TABLE.fill(table=table, suffix=suffix) for suffix in TABLE_FORMATS),
        *(RESULTS.FIGURE.fill(figure=figure, suffix=suffix) for suffix in SETTINGS.figures.formats),
    ]


def table_pages(paths):
    """The tables' pages, which Snakemake's report opens."""
    return [labelled(path, "tables", captions.TABLES) for path in paths if path.endswith(".html")]


def pictures(paths):
    """The figures that Snakemake's report shows."""
    return [labelled(path, "figures", captions.FIGURES) for path in paths if path.endswith(".png")]


def labelled(path, kind, texts):
    """An output for Snakemake's report, with what it is called in the paper and what it shows."""
    name = os.path.splitext(os.path.basename(path))[0]
    labels = {"in the paper": captions.number(name), "shows": texts.get(name, name)}
    return report(path, caption=f"../report/{kind}.rst", category=kind.capitalize(), labels=labels)


def hidden(paths):
    """The files that Snakemake's report does not show."""
    return [path for path in paths if not path.endswith((".html", ".png"))]


def reward_model_of(run):
    """The entry of `lmms` that rewards a run."""
    return SETTINGS.lmms[SETTINGS.run_train(run).reward_model]


def unfiltered(run, paths):
    """`paths` for a run that also learns from questions that the filter did not keep."""
    return paths if SETTINGS.run_train(run).questions != "filtered" else []


def annotations_of(name):
    """A source's annotation files; of a folder those in it, so that Snakemake sees each of them change."""
    return [str(file) for file in SETTINGS.annotations_of(name)]


def videos_of(name):
    """A params function giving the folder that a data set's video paths are relative to."""
    return lambda wildcards: SETTINGS.path(SETTINGS.source(name).videos)


def benchmark_videos(wildcards, threads):
    """A benchmark's videos, for what is counted in them; where they lie decides nothing, so `threads` keeps it out of the record."""
    return SETTINGS.path(SETTINGS.benchmarks[wildcards.benchmark].videos)


def tolerated(wildcards, threads):
    """How many clips of a source may fail, as flags; it decides no frame, so `threads` keeps it out of the record."""
    asked = SETTINGS.decode.tolerance(SETTINGS.source(wildcards.dataset).max_failure_rate)
    return " ".join(flag(f"--{key.replace('_', '-')}", str(value)) for key, value in asked.items())


def truth_of(names):
    """When the evidence is visible, for those of `names` that know it."""
    return [SETTINGS.path(SETTINGS.benchmarks[name].truth) for name in names if SETTINGS.benchmarks[name].truth]


def evidence_of(names):
    """When the evidence is visible, of each of `names` that may know it: its truth table, or what ingest found in the annotations."""
    return [
        (
            SETTINGS.path(SETTINGS.benchmarks[name].truth)
            if SETTINGS.benchmarks[name].truth
            else RESULTS.EVIDENCE.fill(dataset=name)
        )
        for name in names
    ]


def flag(name, *values, parent=False):
    """A flag with its values, quoted, or nothing where there are none; `parent` gives their folders."""
    values = [os.path.dirname(value) if parent else value for value in values]
    return shlex.join([name, *values]) if values else ""


def selector_of(wildcards):
    """The selector whose name is part of a path."""
    return SelectorName.parse(unslug(wildcards.selector))


def import_of(wildcards):
    """The entry of `imports` whose name is part of a path."""
    return SETTINGS.imports[wildcards.imported]


def counted_rows(wildcards):
    """The annotation file whose rows an imported file counts, if it does: the benchmark's only one, unless the entry names another."""
    named = import_of(wildcards).annotations.get(wildcards.benchmark)
    own = SETTINGS.benchmarks[wildcards.benchmark].annotations
    return [SETTINGS.path(path) for path in ([named] if named else own if len(own) == 1 else [])]


def needs(wildcards):
    """What one selector reads beside the benchmark."""
    selector = selector_of(wildcards)
    if selector.needs == "truth":
        return truth_of([wildcards.benchmark])
    if selector.needs == "embeddings":
        return scores_of(RESULTS.EMBEDDINGS, wildcards.benchmark, scorer=SETTINGS.embed.model)
    if selector.needs == "certainty":
        return scores_of(RESULTS.CERTAINTY, wildcards.benchmark, model=SETTINGS.certainty.model)
    if selector.needs == "selections":
        return selections_of(wildcards.benchmark, slug(f"refocus/{selector.run}"))
    if selector.asks_policy:  # it needs `policy` or `initial`, the names of the two folders
        return [
            file.fill(run=selector.run, state=selector.needs)
            for file in (RESULTS.POLICY_CONFIG, RESULTS.POLICY_WEIGHTS)
        ]
    return []


NEEDS_FLAGS = {
    "truth": "--truth",
    "selections": "--from",
    "embeddings": "--embeddings",
    "certainty": "--certainty",
}


def needs_flags(wildcards, input):
    """The flags that say so."""
    selector = selector_of(wildcards)
    if selector.asks_policy:
        return flag("--model", *input.needs[:1], parent=True)
    return flag(NEEDS_FLAGS[selector.needs], *input.needs) if selector.needs else ""


def rule_of_picking(wildcards):
    """What else decides picks, as flags: a method's own numbers, and whether the benchmark's last frames are kept.

    No part of `needs_flags`, as what reads `input` triggers no rerun.
    """
    numbers = flag("--training-free-settings", SETTINGS.training_free.canonical())
    found = [numbers] if selector_of(wildcards).tunable else []
    return " ".join(found + ["--keep-last-frame"] * SETTINGS.benchmarks[wildcards.benchmark].keeps_last_frame)
