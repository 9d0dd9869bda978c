"""Stage 8b, figures: drawn from what the stages before have written, all in one job.

Reads:  the filter's tables, the runs' metrics, the answers, the picks with their frames.
Writes: <results>/figures/{fig2_variance,fig4_likelihood,fig6_temporal_entropy,fig7_subsets,training,accuracy,fig9_examples,one_question}.{png,svg},
        Fig. 6 also as .csv, Fig. 4 as a table. Figure 5 is drawn by recall.smk.
Paper:  Figures 2, 4, 6, 7 and 9 to 13.
"""

DRAWN = {
    "fig7_subsets": True,
    "fig2_variance": FILTERED,
    "fig4_likelihood": BINNED,
    "fig6_temporal_entropy": TRAINED,
    "training": TRAINED,
    "accuracy": ANSWERED,
    "fig9_examples": SELECTED,
    "one_question": SELECTED,
}
FIGURES = [
    RESULTS.FIGURE.fill(figure=name, suffix=suffix)
    for name, wanted in DRAWN.items()
    if wanted
    for suffix in SETTINGS.figures.formats
]
BINS_TABLE = [RESULTS.FIGURE.fill(figure="fig4_likelihood", suffix=suffix) for suffix in TABLE_FORMATS if BINNED]


rule draw_figures:
    input:
        filtered=FILTERED,
        pool=expand(RESULTS.QUESTIONS, dataset=USE.datasets),
        trained=TRAINED,
        questions=expand(RESULTS.QUESTIONS, dataset=USE.benchmarks),
        answers=ANSWERED,
        selections=SELECTED,
        frames=frames_of(USE.benchmarks),
        truth=evidence_of(USE.benchmarks),
        likelihoods=LIKELIHOODS,
        bins=BINNED,
    output:
        hidden(FIGURES),
        [RESULTS.FIGURE.fill(figure="fig6_temporal_entropy", suffix="csv")] if TRAINED else [],
        hidden(BINS_TABLE),
        pages=table_pages(BINS_TABLE),
        pictures=pictures(FIGURES),
    log:
        "<results>/logs/figures.log",
    benchmark:
        "<results>/benchmarks/figures.jsonl"
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=section("figures"),
        reward=section("reward"),
        code=sources("refocus.cli.figures"),
        n_frames=SETTINGS.main_n_frames,
        filtered=lambda wildcards, input: flag("--filtered", *input.filtered[:1], parent=True),
        pool=lambda wildcards, input: flag("--training-qa", *input.pool),
        runs=flag("--runs", *(f"{run}={RESULTS.RUN.at(SETTINGS.results, run=run)}" for run in USE.runs)),
        variants=to_json(variants(SETTINGS)),
        questions=lambda wildcards, input: flag("--qa", *input.questions),
        answers=lambda wildcards, input: flag("--answers", *input.answers),
        selections=lambda wildcards, input: flag("--selections", *input.selections),
        frames=lambda wildcards, input: flag("--index", *input.frames),
        truth=lambda wildcards, input: flag("--truth", *input.truth),
        likelihoods=lambda wildcards, input: flag("--likelihoods", *input.likelihoods),
        bins=lambda wildcards, input: flag("--bins", *input.bins),
        samples=SETTINGS.likelihood.samples,
        extractor=flag("--extractor", *filter(None, [SETTINGS.tables.extractor])),
        out=subpath(output[0], parent=True),
    shell:
        "python -m refocus figures {params.filtered} {params.pool} --reward-settings {params.reward:q} {params.runs} --variants {params.variants:q}"
        " {params.questions} {params.answers} {params.selections} {params.frames} {params.truth}"
        " {params.likelihoods} {params.bins} --samples {params.samples} {params.extractor}"
        " --n-frames {params.n_frames} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
