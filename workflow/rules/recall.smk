"""Stage 6b, recall: whether the picks show the evidence, without asking any LMM; and the maps of needles in haystacks.

Reads:  the picks of every selector, the benchmarks' questions and indexes of frames, and when the evidence is visible.
Writes: <results>/tables/evidence_recall.{csv,md,tex,html} and <results>/figures/evidence_recall.{png,svg};
        for haystacks <results>/tables/niah.{csv,md,tex,html} and <results>/figures/fig5_niah.{png,svg,csv}.
Paper:  Figure 5; the recall is ours.
"""

RECALLED = table_and_figure("evidence_recall", "evidence_recall") if SELECTED else []
NEEDLES = (
    [*table_and_figure("niah", "fig5_niah"), RESULTS.FIGURE.fill(figure="fig5_niah", suffix="csv")] if SOUGHT else []
)


if RECALLED:

    rule measure_recall:
        input:
            questions=expand(RESULTS.QUESTIONS, dataset=USE.benchmarks),
            selections=SELECTED,
            frames=frames_of(USE.benchmarks),
            truth=evidence_of(USE.benchmarks),
        output:
            hidden(RECALLED),
            pages=table_pages(RECALLED),
            pictures=pictures(RECALLED),
        log:
            "<results>/logs/recall.log",
        benchmark:
            "<results>/benchmarks/recall.jsonl"
        conda:
            "../envs/data.yaml"
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            settings=section("figures"),
            code=sources("refocus.cli.recall"),
            n_frames=SETTINGS.main_n_frames,
            variants=to_json(variants(SETTINGS)),
            tables=lambda wildcards: SETTINGS.path(RESULTS.TABLES),
            figures=lambda wildcards: SETTINGS.path(RESULTS.FIGURES),
        shell:
            "python -m refocus recall --qa {input.questions:q} --truth {input.truth:q} --selections {input.selections:q} --index {input.frames:q}"
            " --n-frames {params.n_frames} --variants {params.variants:q} --settings {params.settings:q}"
            " --out {params.tables:q} --figures {params.figures:q} 2>&1 | tee {log:q}"


if NEEDLES:

    rule draw_needles:
        input:
            questions=expand(RESULTS.QUESTIONS, dataset=USE.haystacks),
            selections=SOUGHT,
            frames=frames_of(USE.haystacks),
            truth=evidence_of(USE.haystacks),
        output:
            hidden(NEEDLES),
            pages=table_pages(NEEDLES),
            pictures=pictures(NEEDLES),
        log:
            "<results>/logs/needles.log",
        benchmark:
            "<results>/benchmarks/needles.jsonl"
        conda:
            "../envs/data.yaml"
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            settings=section("figures"),
            niah=section("niah"),
            code=sources("refocus.cli.recall"),
            n_frames=SETTINGS.main_n_frames,
            variants=to_json(variants(SETTINGS)),
            tables=lambda wildcards: SETTINGS.path(RESULTS.TABLES),
            figures=lambda wildcards: SETTINGS.path(RESULTS.FIGURES),
        shell:
            "python -m refocus recall --qa {input.questions:q} --truth {input.truth:q} --selections {input.selections:q} --index {input.frames:q}"
            " --n-frames {params.n_frames} --variants {params.variants:q} --niah-settings {params.niah:q} --settings {params.settings:q}"
            " --out {params.tables:q} --figures {params.figures:q} 2>&1 | tee {log:q}"
