"""Stage 7, answer: an LMM answers a benchmark from the picked frames, one job per benchmark, selector and LMM.

Reads:  the benchmark's questions, one selector's picks, the videos (or, with answer.pixels: shard, the stored frames), the LMM.
Writes: <results>/answers/{benchmark}/{lmm}/{selector}/n{frames}.s{seed}.parquet, one table per number of frames.
Paper:  section 4.
"""

ANSWERED = [
    path
    for name in USE.benchmarks
    for lmm in USE.lmms
    for selector in selectors_on(name)
    for path in answers_of(name, lmm, selector)
]


rule answer_questions:
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        selections=lambda wildcards: selections_of(wildcards.benchmark, wildcards.selector),
        frames=lambda wildcards: frames_of([wildcards.benchmark]) if SETTINGS.answer.pixels == "shard" else [],
        lmm=lambda wildcards: ancient(model_files(SETTINGS.lmms[wildcards.lmm].path)),
    output:
        answers_of("{benchmark}", "{lmm}", "{selector}"),
    log:
        "<results>/logs/answer/{benchmark}.{lmm}.{selector}.log",
    benchmark:
        "<results>/benchmarks/answer/{benchmark}.{lmm}.{selector}.jsonl"
    conda:
        "../envs/reward.yaml"
    threads: cores(SETTINGS.answer)
    resources:
        gpu=gpus(SETTINGS.answer),
        mem_mb=times_attempt(24_000),
        runtime=times_attempt(240),
    params:
        settings=section("answer"),
        lmm=lambda wildcards: SETTINGS.lmms[wildcards.lmm].canonical(),
        weights=lambda wildcards: weights(SETTINGS.lmms[wildcards.lmm].path),
        selector=lambda wildcards: unslug(wildcards.selector),
        runtime=runtime(SETTINGS.answer),
        videos=lambda wildcards: SETTINGS.path(SETTINGS.benchmarks[wildcards.benchmark].videos),
        index=lambda wildcards, input: flag("--index", *input.frames),
        selections=lambda wildcards, input: os.path.dirname(input.selections[0]),
        out=subpath(output[0], parent=True),
        n_frames=" ".join(map(str, N_FRAMES)),
    shell:
        "python -m refocus answer --qa {input.questions:q} --selections {params.selections:q} --n-frames {params.n_frames}"
        " --videos {params.videos:q} {params.index} --lmm-settings {params.lmm:q} --lmm-name {wildcards.lmm:q}"
        " --selector {params.selector:q} --settings {params.settings:q} --runtime {params.runtime:q} --out {params.out:q}"
        " 2>&1 | tee {log:q}"
