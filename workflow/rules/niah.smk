"""Stage 0b, niah: needles in haystacks, rendered by the synthetic world as a benchmark. Only where `use.haystacks` names one that lies there.

Writes: <results>/niah/questions.jsonl, a table that says when each needle is visible, and the videos.
Paper:  V-NIAH, section 4.2; Figure 5 is drawn by recall.smk.
"""

HAYSTACKS = sorted(
    {
        SETTINGS.path(path)
        for name in USE.haystacks
        for path in SETTINGS.benchmarks[name].annotations
        if path.startswith(f"{RESULTS.NIAH}/")
    }
)


if HAYSTACKS:

    rule make_haystacks:
        output:
            HAYSTACKS,
        log:
            "<results>/logs/niah.log",
        benchmark:
            "<results>/benchmarks/niah.jsonl"
        conda:
            "../envs/data.yaml"
        threads: cores(SETTINGS.niah)
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            settings=section("niah"),
            runtime=runtime(SETTINGS.niah),
            out=lambda wildcards: SETTINGS.path(RESULTS.NIAH),
        shell:
            "python -m refocus niah --settings {params.settings:q} --runtime {params.runtime:q} --out {params.out:q} 2>&1 | tee {log:q}"
