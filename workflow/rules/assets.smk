"""Beside the stages: the tiny models of the synthetic world, which the demo only reads. `make assets` asks for them, `rule all` never.

Writes: <results>/assets/{siglip,lmm,policy} and <results>/assets/manifest.json (checksums, scores on held-out videos).
        `refocus assets promote` then copies them into assets/.
        <results>/assets/lmm_ov, for `make study`, which is not shipped.
Design: docs/design.md; all are trained on an endless stream of the world, so that they know it and not some of its videos.
"""

ASSETS = str(RESULTS.ASSETS.at(SETTINGS.results))
EXAM_SEEDS = (0, 1, 2)  # worlds the models are examined on; 120 questions about moments each
EXAM_WORLDS = [SETTINGS.world.model_copy(update={"seed": seed}).canonical() for seed in EXAM_SEEDS if SETTINGS.world]

# what a model begins with: the base with the SigLIP that is trained beside it, the second LMM with the shipped one
SIGLIPS = {"policy": [f"{ASSETS}/siglip"], "lmm_ov": ["assets/siglip"]}


rule train_asset:
    """One of the tiny models; the second LMM and the base policy begin with the tower of a SigLIP."""
    input:
        siglip=lambda wildcards: [f"{folder}/model.safetensors" for folder in SIGLIPS.get(wildcards.asset, [])],
    output:
        config=RESULTS.ASSET.fill(file="config.json"),
        weights=RESULTS.ASSET.fill(file="model.safetensors"),
        tokenizer=RESULTS.ASSET.fill(file="tokenizer.json"),
    log:
        "<results>/logs/assets/{asset}.log",
    benchmark:
        "<results>/benchmarks/assets/{asset}.jsonl"
    conda:
        "../envs/train.yaml"
    threads: cores(SETTINGS.assets)
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=section("assets"),
        runtime=runtime(SETTINGS.assets),
        folder=lambda wildcards: ASSETS,
        siglip=lambda wildcards: flag("--siglip", *SIGLIPS.get(wildcards.asset, [])),
    shell:
        "python -m refocus assets {wildcards.asset} --dir {params.folder:q} {params.siglip} --settings {params.settings:q}"
        " --runtime {params.runtime:q} 2>&1 | tee {log:q}"


rule examine_assets:
    """Scores on held-out videos: with and without the evidence in sight."""
    input:
        expand(RESULTS.ASSET, asset=["siglip", "lmm", "policy"], file="model.safetensors"),
    output:
        RESULTS.ASSETS_MANIFEST,
    log:
        "<results>/logs/assets/exam.log",
    benchmark:
        "<results>/benchmarks/assets/exam.jsonl"
    conda:
        "../envs/train.yaml"
    threads: cores(SETTINGS.assets)
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=section("assets"),
        runtime=runtime(SETTINGS.assets),
        worlds=" ".join(flag("--world-settings", world) for world in EXAM_WORLDS),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m refocus assets exam --dir {params.folder:q} {params.worlds} --settings {params.settings:q}"
        " --runtime {params.runtime:q} 2>&1 | tee {log:q}"
