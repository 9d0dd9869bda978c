"""ReFoCUS: videos and questions, shards, rewards, filtered pairs, policies, selections, answers, tables and figures."""

import os
import sys

from snakemake.utils import min_version, validate

sys.path.insert(0, os.path.join(workflow.basedir, "pipeline"))
from refocus.config.layers import merge
from refocus.config.models_in_use import check_models
from refocus.config.overlay import check
from refocus.config.renamed import current_names, without_old_names
from refocus.config.start_checks import (
    IMAGE,
    check_adapters,
    check_image,
    check_site,
    check_world,
    mixed_world,
    one_line,
)

min_version("9.27")

with one_line():
    OVERLAYS = current_names(config)  # what --configfile and --config set; config.yaml follows


configfile: os.path.join(workflow.basedir, "config.yaml")


with one_line():
    config = merge(without_old_names(config), OVERLAYS)
    SETTINGS = check(config)
    check_models(SETTINGS)
    check_adapters(SETTINGS)
    check_world(SETTINGS)
    check_site(workflow.resource_settings.default_resources or {})
    check_image(workflow.deployment_settings.deployment_method, os.environ.get(IMAGE))
validate(SETTINGS.model_dump(mode="json"), "workflow/schemas/config.schema.yaml", set_default=False)


pathvars:
    results=SETTINGS.results,


if os.environ.get(IMAGE):

    container: os.environ[IMAGE]


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


if MIXED := mixed_world(SETTINGS):
    say_once(MIXED)


include: "workflow/rules/world.smk"
include: "workflow/rules/niah.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/screen.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/reward.smk"
include: "workflow/rules/filter.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/recall.smk"
include: "workflow/rules/likelihood.smk"
include: "workflow/rules/answer.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/assets.smk"


rule ingested:
    """The tables of questions and clips alone, after which `refocus plan` knows what a run costs."""
    input:
        INGESTED,


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
        COSTS,
        RECALLED,
        NEEDLES,
        LIKELIHOODS,
        BINNED,
        ANSWERED,
        TABLES,
        FIGURES,


include: "workflow/rules/report.smk"
