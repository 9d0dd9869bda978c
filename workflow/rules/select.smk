"""Stage 6, select: the frames a selector picks for every question of a benchmark, one job per benchmark and selector.

Reads:  the benchmark's questions, index of frames and videos (to count their frames); a policy, tables of scores, the world's truth or another selector's picks
        where it needs them.
Writes: <results>/selections/{benchmark}/{selector}/n{frames}.s{seed}.parquet, all numbers of frames from one rollout; and cost.json.
Paper:  section 3.2, Algorithm 2.
"""

# In haystacks nothing is answered and every clip has one question: no place for selectors that ask an LMM, hand around a clip's picks, or bring
# picks that another program made for the benchmarks.
SEEKERS = [
    slug(name) for name in USE.selectors if SelectorName.parse(name).needs not in ("certainty", "selections", "import")
]
SOUGHT = [path for name in USE.haystacks for selector in SEEKERS for path in selections_of(name, selector)]
SELECTED = [
    path for name in USE.benchmarks for selector in selectors_on(name) for path in selections_of(name, selector)
]
COSTS = [
    RESULTS.SELECTION_COST.fill(benchmark=name, selector=selector)
    for name in USE.benchmarks
    for selector in selectors_on(name)
    if not selector.startswith("imported--")  # what other programs spent is not known
]


rule select_frames:
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        frames=lambda wildcards: frames_of([wildcards.benchmark]),
        needs=needs,
    output:
        selections_of("{benchmark}", "{selector}"),
        cost=RESULTS.SELECTION_COST,
    log:
        "<results>/logs/select/{benchmark}.{selector}.log",
    benchmark:
        "<results>/benchmarks/select/{benchmark}.{selector}.jsonl"
    wildcard_constraints:
        selector=r"(?!imported--)[a-z0-9._-]+",
    conda:
        "../envs/train.yaml"
    threads: cores(SETTINGS.select)
    resources:
        gpu=lambda wildcards: gpus(SETTINGS.select) if selector_of(wildcards).asks_policy else 0,
        mem_mb=times_attempt(16_000),
        runtime=times_attempt(240),
    params:
        settings=section("select"),
        selector=lambda wildcards: unslug(wildcards.selector),
        n_frames=" ".join(map(str, N_FRAMES)),
        needs=needs_flags,
        picking=rule_of_picking,
        videos=benchmark_videos,
        runtime=runtime(SETTINGS.select),
        out=subpath(output[0], parent=True),
    shell:
        "python -m refocus select-benchmark --qa {input.questions:q} --index {input.frames:q} --videos {params.videos:q} --selector {params.selector:q}"
        " {params.needs} {params.picking} --n-frames {params.n_frames} --settings {params.settings:q} --runtime {params.runtime:q} --out {params.out:q}"
        " 2>&1 | tee {log:q}"


rule import_selections:
    """What another program picked, with times and numbers of the file; a question without picks is an error."""
    input:
        questions=RESULTS.QUESTIONS.fill(dataset="{benchmark}"),
        frames=lambda wildcards: frames_of([wildcards.benchmark]),
        picks=lambda wildcards: SETTINGS.path(import_of(wildcards).file(wildcards.benchmark, int(wildcards.frames))),
        annotations=counted_rows,
    output:
        RESULTS.SELECTIONS.fill(selector="imported--{imported}", seed=SEED),
    log:
        "<results>/logs/select/{benchmark}.imported--{imported}.n{frames}.log",
    benchmark:
        "<results>/benchmarks/select/{benchmark}.imported--{imported}.n{frames}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=times_attempt(4_000),
        runtime=times_attempt(60),
    params:
        code=sources("refocus.cli.import_"),
        format=lambda wildcards: import_of(wildcards).format,
        exact=lambda wildcards: "" if import_of(wildcards).ranked else "--exact",
        annotations=lambda wildcards, input: flag("--annotations", *input.annotations),
        videos=benchmark_videos,
        seed=SEED,
        out=subpath(output[0], parent=True),
    shell:
        "python -m refocus import {params.format:q} {input.picks:q} --qa {input.questions:q} --index {input.frames:q} --videos {params.videos:q}"
        " {params.annotations} --n-frames {wildcards.frames} {params.exact} --seed {params.seed} --name {wildcards.imported:q} --out {params.out:q}"
        " 2>&1 | tee {log:q}"
