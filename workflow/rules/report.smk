"""Stage 9, report: results as pages for a browser, with a gallery of questions. No part of `all`; its target is `report`.

Reads:  what `all` makes.
Writes: <results>/report/, with index.html and gallery.html; they show copies, and open from the disk wherever the folder is moved.
"""

from refocus.core.files import digest, file_digest
from refocus.core.project import PACKAGE

TEMPLATES = sorted((PACKAGE / "report" / "pages" / "templates").iterdir())


rule report:
    input:
        rules.all.input,
    output:
        directory(RESULTS.REPORT),
    log:
        "<results>/logs/report.log",
    benchmark:
        "<results>/benchmarks/report.jsonl"
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        configuration=canonical(SETTINGS.model_dump(mode="json")),
        code=sources("refocus.cli.report"),
        templates=digest([file_digest(path) for path in TEMPLATES]),
        results=subpath(output[0], parent=True),
    shell:
        "python -m refocus report {params.results:q} --configuration {params.configuration:q} --out {output:q} 2>&1 | tee {log:q}"
