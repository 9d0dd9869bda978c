"""Stage 1b, screen: questions of the training pool that should not be trained on twice, or not at all.

Reads:  the questions of all data sets in use, and those of the benchmarks in use.
Writes: <results>/screened/duplicates.{parquet,json}: copies, across and inside data sets; the first of use.datasets keeps its own;
        <results>/screened/leaks.{parquet,json}: training videos that a benchmark has too, by YouTube id.
Design: docs/design.md; only `filter` reads them, so a data set more or less never decodes or scores another one's questions again.
"""

SCREEN = SETTINGS.screen
COPIES = [RESULTS.DUPLICATES] if USE.datasets and SCREEN.duplicates != "off" else []
LEAKS = [RESULTS.LEAKS] if USE.datasets and USE.benchmarks and SCREEN.leaks != "off" else []
SCREENED = COPIES + LEAKS
DROPPED = [*(COPIES if SCREEN.duplicates == "drop" else []), *(LEAKS if SCREEN.leaks == "drop" else [])]


rule find_duplicates:
    input:
        expand(RESULTS.QUESTIONS, dataset=USE.datasets),
    output:
        questions=RESULTS.DUPLICATES,
        summary=RESULTS.DUPLICATES_SUMMARY,
    log:
        "<results>/logs/screen/duplicates.log",
    benchmark:
        "<results>/benchmarks/screen/duplicates.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=sources("refocus.cli.screen"),
        order=list(USE.datasets),  # decides which copy stays; Snakemake compares inputs without their order
        out=subpath(output.summary, parent=True),
    shell:
        "python -m refocus screen duplicates {input:q} --out {params.out:q} 2>&1 | tee {log:q}"


rule find_leaks:
    input:
        trained=expand(RESULTS.QUESTIONS, dataset=USE.datasets),
        benchmarks=expand(RESULTS.QUESTIONS, dataset=USE.benchmarks),
    output:
        questions=RESULTS.LEAKS,
        summary=RESULTS.LEAKS_SUMMARY,
    log:
        "<results>/logs/screen/leaks.log",
    benchmark:
        "<results>/benchmarks/screen/leaks.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=sources("refocus.cli.screen"),
        out=subpath(output.summary, parent=True),
    shell:
        "python -m refocus screen leaks {input.trained:q} --benchmarks {input.benchmarks:q} --out {params.out:q} 2>&1 | tee {log:q}"
