"""ReFoCUS: videos and questions, shards, rewards, filtered pairs, policies, selections, answers, tables and figures."""

import os
import sys

from snakemake.utils import min_version, validate

sys.path.insert(0, os.path.join(workflow.basedir, "pipeline"))
from refocus.config.overlay import check

min_version("9.27")


configfile: os.path.join(workflow.basedir, "config.yaml")


SETTINGS = check(config)
validate(config, "workflow/schemas/config.schema.yaml", set_default=False)


pathvars:
    results=SETTINGS.results,


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/world.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/screen.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/reward.smk"
include: "workflow/rules/filter.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/answer.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/assets.smk"


rule all:
    """Every stage's outputs, so that a stage that failed once is never taken for done."""
    default_target: True
    input:
        WORLD_FILES,
        INGESTED,
        SCREENED,
        FRAMES,
        REWARDS,
        FILTERED,
        TRAINED,
        SELECTED,
        ANSWERED,
        TABLES,
        FIGURES,
