"""Stage 8a, tables: Tables 1 to 4 from all answers, what selectors reach and cost, and the synthetic world's own.

Reads:  the answers of every benchmark, LMM and selector in use, the benchmarks' questions, what the selections cost, and the policies' likelihoods on Video-MME.
Writes: <results>/tables/{table1,table4,selectors}.{csv,md,tex,html}, with the gains in the same harness and the paper's number beside each figure;
        table2 where Video-MMMU is asked, table3 where a policy picks on Video-MME, world and world_frames where a benchmark comes from the synthetic world.
Paper:  Tables 1 to 4.
"""

IN_WORLD = any(SETTINGS.is_rendered(name) for name in USE.benchmarks)
TABLES = [
    RESULTS.TABLE.fill(table=name, suffix=suffix)
    for name in [
        "table1",
        *["table2"] * any(SETTINGS.benchmarks[name].is_lectures for name in USE.benchmarks),
        *["table3"] * bool(DISTRIBUTIONS),
        "table4",
        "selectors",
        *["world", "world_frames"] * IN_WORLD,
    ]
    for suffix in TABLE_FORMATS
    if ANSWERED
]


rule make_tables:
    input:
        questions=expand(RESULTS.QUESTIONS, dataset=USE.benchmarks),
        answers=ANSWERED,
        costs=COSTS,
        likelihoods=DISTRIBUTIONS,
    output:
        hidden(TABLES),
        pages=table_pages(TABLES),
    log:
        "<results>/logs/tables.log",
    benchmark:
        "<results>/benchmarks/tables.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=section("tables"),
        code=sources("refocus.cli.tables"),
        n_frames=SETTINGS.main_n_frames,
        variants=to_json(variants(SETTINGS)),
        likelihoods=lambda wildcards, input: flag("--likelihoods", *input.likelihoods),
        out=subpath(output[0], parent=True),
    shell:
        "python -m refocus tables --qa {input.questions:q} --answers {input.answers:q} --costs {input.costs:q} --n-frames {params.n_frames}"
        " {params.likelihoods} --variants {params.variants:q} --settings {params.settings:q} --out {params.out:q} 2>&1 | tee {log:q}"
