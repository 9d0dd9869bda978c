"""Stage 4, filter: keeps the questions whose margin depends on which frames are shown.

Reads:  the reward tables and the questions of all data sets in use, and what screening drops.
Writes: <results>/filtered/{model}/variance.parquet (every question), pairs.parquet (those above tau), summary.json,
        sensitivity.csv and .md (pairs kept by tau from 0.05 to 0.5).
Paper:  section 3.1, appendix A.1 (Var > tau).
"""

FILTERED = (
    [
        file.fill(model=SETTINGS.reward.model)
        for file in (
            RESULTS.VARIANCE,
            RESULTS.PAIRS,
            RESULTS.FILTER_SUMMARY,
            RESULTS.SENSITIVITY_CSV,
            RESULTS.SENSITIVITY_MD,
        )
    ]
    if USE.datasets
    else []
)


rule filter_pairs:
    input:
        rewards=lambda wildcards: margins_of(USE.datasets, wildcards.model),
        questions=expand(RESULTS.QUESTIONS, dataset=USE.datasets),
        dropped=DROPPED,
    output:
        variance=RESULTS.VARIANCE,
        pairs=RESULTS.PAIRS,
        summary=RESULTS.FILTER_SUMMARY,
        sensitivity=[RESULTS.SENSITIVITY_CSV, RESULTS.SENSITIVITY_MD],
    log:
        "<results>/logs/filter/{model}.log",
    benchmark:
        "<results>/benchmarks/filter/{model}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        rewards=lambda wildcards: spelled(RESULTS.MARGINS.fill(model=wildcards.model), USE.datasets),
        settings=section("filter"),
        code=sources("refocus.cli.filter"),
        dropped=lambda wildcards, input: flag("--drop", *input.dropped),
        out=subpath(output.pairs, parent=True),
    shell:
        "python -m refocus filter {params.rewards} --qa {input.questions:q} {params.dropped} --settings {params.settings:q}"
        " --out {params.out:q} 2>&1 | tee {log:q}"
