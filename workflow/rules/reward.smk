"""Stage 3, reward: the margin of every question on each of the 16 subsets of its clip's frames, one job per shard.

Reads:  one shard's index of frames and list of questions, and the reward LMM.
Writes: <results>/reward/{model}/{dataset}/{shard}.parquet: qa_id, subset, frame_indices, logits, logits_raw, margin,
        and {shard}.skipped.parquet: questions that could not be scored, with their reason.
Keeps:  <results>/store/reward/{fingerprint}/{dataset}/{shard}/; a rerun scores only the questions it lacks.
Paper:  appendix A.1, Eq. 5.
"""

REWARDS = margins_of(USE.datasets, SETTINGS.reward.model)


rule score_shard:
    input:
        frames=RESULTS.INDEX,
        questions=RESULTS.SHARD_QUESTIONS,
        model=lambda wildcards: ancient(model_files(SETTINGS.lmms[wildcards.model].path)),
    output:
        margins=RESULTS.MARGINS,
        skipped=RESULTS.SKIPPED,
    log:
        "<results>/logs/reward/{model}.{dataset}.{shard}.log",
    benchmark:
        "<results>/benchmarks/reward/{model}.{dataset}.{shard}.jsonl"
    conda:
        "../envs/reward.yaml"
    threads: cores(SETTINGS.reward)
    resources:
        gpu=gpus(SETTINGS.reward),
        mem_mb=times_attempt(24_000),
        runtime=times_attempt(240),
    params:
        settings=section("reward"),
        lmm=lambda wildcards: SETTINGS.lmms[wildcards.model].canonical(),
        weights=lambda wildcards: weights(SETTINGS.lmms[wildcards.model].path),
        runtime=runtime(SETTINGS.reward),
        store=lambda wildcards: f"{STORE}/{margins_kept(SETTINGS, wildcards.dataset)}/{wildcards.shard}",
    shell:
        "python -m refocus reward --index {input.frames:q} --qa {input.questions:q} --lmm-settings {params.lmm:q}"
        " --settings {params.settings:q} --runtime {params.runtime:q} --store {params.store:q} --out {output.margins:q} 2>&1 | tee {log:q}"
