"""Stage 6b, marginals: how often a policy chooses each frame, one job per benchmark and policy; only where Table 3 needs it, on Video-MME.

Reads:  the benchmark's questions and index of frames, the policy.
Writes: <results>/marginals/{benchmark}/{selector}.parquet: of every question drawn, a probability for each kept frame.
Paper:  Eq. 10, Appendix C.
"""

DISTRIBUTIONS = [
    RESULTS.MARGINALS.fill(benchmark=name, selector=slug(selector))
    for name in USE.benchmarks
    if SETTINGS.benchmarks[name].format == "videomme"
    for selector in USE.selectors
    if SelectorName.parse(selector).kind in ("refocus", "initial")
]


rule find_marginals:
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        frames=lambda wildcards: frames_of([wildcards.benchmark]),
        needs=needs,
    output:
        RESULTS.MARGINALS,
    log:
        "<results>/logs/marginals/{benchmark}.{selector}.log",
    benchmark:
        "<results>/benchmarks/marginals/{benchmark}.{selector}.jsonl"
    conda:
        "../envs/train.yaml"
    threads: cores(SETTINGS.marginals)
    resources:
        gpu=gpus(SETTINGS.marginals),
        mem_mb=times_attempt(16_000),
        runtime=times_attempt(240),
    params:
        settings=section("marginals"),
        n_frames=SETTINGS.marginals.n_frames or SETTINGS.main_n_frames,
        runtime=runtime(SETTINGS.marginals),
        needs=needs_flags,
        selector=lambda wildcards: unslug(wildcards.selector),
    shell:
        "python -m refocus marginals --qa {input.questions:q} --index {input.frames:q} {params.needs} --selector {params.selector:q}"
        " --settings {params.settings:q} --n-frames {params.n_frames} --runtime {params.runtime:q} --out {output:q} 2>&1 | tee {log:q}"
