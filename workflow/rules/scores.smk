"""Stage 5b, scores for selectors without training, one job per shard of a benchmark; only where such a selector is used.

Reads:  one shard's index of frames and list of questions; a CLIP or SigLIP (embed), or an LMM (certainty).
Writes: <results>/embeddings/{scorer}/{dataset}/{shard}.parquet: unit vectors of every frame and of every question, alone and with each option;
        <results>/certainty/{model}/{dataset}/{shard}.parquet: how sure the LMM is of its answer from each frame alone.
        All methods and numbers of frames read the same tables.
Paper:  none; the methods that the tables are for are named in docs/selectors.md.
"""


rule embed_shard:
    input:
        frames=RESULTS.INDEX,
        questions=RESULTS.SHARD_QUESTIONS,
        model=lambda wildcards: ancient(model_files(SETTINGS.scorers[wildcards.scorer].path)),
    output:
        RESULTS.EMBEDDINGS,
    log:
        "<results>/logs/embed/{scorer}.{dataset}.{shard}.log",
    benchmark:
        "<results>/benchmarks/embed/{scorer}.{dataset}.{shard}.jsonl"
    conda:
        "../envs/reward.yaml"
    threads: cores(SETTINGS.embed)
    resources:
        gpu=gpus(SETTINGS.embed),
        mem_mb=times_attempt(12_000),
        runtime=times_attempt(240),
    params:
        settings=section("embed"),
        scorer=lambda wildcards: SETTINGS.scorers[wildcards.scorer].canonical(),
        weights=lambda wildcards: weights(SETTINGS.scorers[wildcards.scorer].path),
        runtime=runtime(SETTINGS.embed),
    shell:
        "python -m refocus embed --index {input.frames:q} --qa {input.questions:q} --scorer-settings {params.scorer:q}"
        " --settings {params.settings:q} --runtime {params.runtime:q} --out {output:q} 2>&1 | tee {log:q}"


rule certain_shard:
    input:
        frames=RESULTS.INDEX,
        questions=RESULTS.SHARD_QUESTIONS,
        model=lambda wildcards: ancient(model_files(SETTINGS.lmms[wildcards.model].path)),
    output:
        RESULTS.CERTAINTY,
    log:
        "<results>/logs/certainty/{model}.{dataset}.{shard}.log",
    benchmark:
        "<results>/benchmarks/certainty/{model}.{dataset}.{shard}.jsonl"
    conda:
        "../envs/reward.yaml"
    threads: cores(SETTINGS.certainty)
    resources:
        gpu=gpus(SETTINGS.certainty),
        mem_mb=times_attempt(24_000),
        runtime=times_attempt(480),
    params:
        settings=section("certainty"),
        lmm=lambda wildcards: SETTINGS.lmms[wildcards.model].canonical(),
        weights=lambda wildcards: weights(SETTINGS.lmms[wildcards.model].path),
        runtime=runtime(SETTINGS.certainty),
    shell:
        "python -m refocus certainty --index {input.frames:q} --qa {input.questions:q} --lmm-settings {params.lmm:q}"
        " --settings {params.settings:q} --runtime {params.runtime:q} --out {output:q} 2>&1 | tee {log:q}"
