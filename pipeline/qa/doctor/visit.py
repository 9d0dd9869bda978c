"""Goes from source to source, walking each data root once."""

from functools import cache

from pipeline.config.root import Root
from pipeline.qa.doctor.disk import examine_disk
from pipeline.qa.doctor.findings import Diagnosis
from pipeline.qa.doctor.models import examine_models
from pipeline.qa.doctor.source import examine
from pipeline.qa.doctor.walk import walk


def diagnose(root: Root, probe: int | None) -> Diagnosis:
    """Examines what a configuration uses.

    Args:
        probe: how many videos of each source have their headers read; None: all.
    """
    tree_of = cache(walk)
    reports = [examine(root, name, probe, tree_of) for name in [*root.use.datasets, *root.use.benchmarks]]
    return Diagnosis(reports, examine_models(root), examine_disk(root, reports))
