"""Stage 5, train: policy gradients with the reward LMM's margin, one job per run.

Reads:  the filtered pairs, the stored frames, the supervised base the policy starts from, the reward LMM;
        with train.questions: random or all, also the variances and the questions of the data sets.
Writes: <results>/train/{run}/policy/ (from_pretrained), initial/ (the same before the first update), metrics.jsonl, curves.
Keeps:  <results>/store/train/{fingerprint}/, the checkpoints: a killed run goes on where it was.
Paper:  sections 3.2 and 3.3, Algorithms 1 and 2, appendix B.
"""

TRAINED = [
    file.fill(run=run)
    for run in USE.runs
    for file in (
        RESULTS.POLICY_CONFIG.fill(state="policy"),
        RESULTS.POLICY_CONFIG.fill(state="initial"),
        RESULTS.METRICS,
        RESULTS.CURVES,
    )
]


rule train_policy:
    input:
        pairs=RESULTS.PAIRS.fill(model=SETTINGS.reward.model),
        variance=lambda wildcards: unfiltered(wildcards.run, [RESULTS.VARIANCE.fill(model=SETTINGS.reward.model)]),
        pool=lambda wildcards: unfiltered(wildcards.run, expand(RESULTS.QUESTIONS, dataset=USE.datasets)),
        frames=frames_of(USE.datasets),
        start=lambda wildcards: ancient(model_files(SETTINGS.run_policy(wildcards.run).start)),
        reward_model=lambda wildcards: ancient(model_files(reward_model_of(wildcards.run).path)),
    output:
        policy=RESULTS.POLICY_CONFIG.fill(state="policy"),
        weights=RESULTS.POLICY_WEIGHTS.fill(state="policy"),
        initial=RESULTS.POLICY_CONFIG.fill(state="initial"),
        initial_weights=RESULTS.POLICY_WEIGHTS.fill(state="initial"),
        metrics=RESULTS.METRICS,
        curves=report(
            RESULTS.CURVES, caption="../report/curves.rst", category="Training", labels={"training run": "{run}"}
        ),
    log:
        "<results>/logs/train/{run}.log",
    benchmark:
        "<results>/benchmarks/train/{run}.jsonl"
    retries: 1
    conda:
        "../envs/train.yaml"
    threads: cores(SETTINGS.train)
    resources:
        gpu=gpus(SETTINGS.train),
        mem_mb=times_attempt(
            32_000 + round(1000 * SETTINGS.train.runtime.feature_cache_gb) * SETTINGS.train.runtime.processes
        ),
        runtime=times_attempt(1440),
    params:
        frames=lambda wildcards: spelled(RESULTS.INDEX, USE.datasets),
        unfiltered=lambda wildcards, input: f"{flag('--variance', *input.variance)} {flag('--qa', *input.pool)}".strip(),
        settings=lambda wildcards: SETTINGS.run_train(wildcards.run).canonical(),
        policy=lambda wildcards: SETTINGS.run_policy(wildcards.run).canonical(),
        start=lambda wildcards: SETTINGS.run_policy(wildcards.run).start,
        start_weights=lambda wildcards: weights(SETTINGS.run_policy(wildcards.run).start),
        lmm=lambda wildcards: reward_model_of(wildcards.run).canonical(),
        reward_model=lambda wildcards: reward_model_of(wildcards.run).path,
        reward_weights=lambda wildcards: weights(reward_model_of(wildcards.run).path),
        runtime=runtime(SETTINGS.train),
        start_with=lambda wildcards, resources, threads: launcher(resources, threads, SETTINGS.train),
        store=lambda wildcards: f"{STORE}/{checkpoints_kept(SETTINGS, wildcards.run)}",
        out=subpath(output.metrics, parent=True),
    shell:
        "{params.start_with} train --pairs {input.pairs:q} {params.unfiltered} --index {params.frames} --start {params.start:q}"
        " --reward-model {params.reward_model:q} --lmm-settings {params.lmm:q} --policy-settings {params.policy:q}"
        " --settings {params.settings:q} --runtime {params.runtime:q} --work-dir {params.store:q} --out {params.out:q}"
        " 2>&1 | tee {log:q}"
