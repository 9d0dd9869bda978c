"""Goes from source to source, walking each data root once."""

from functools import cache

from refocus.config.root import Root
from refocus.config.start_checks import mixed_world
from refocus.doctor.check_disk import examine_disk
from refocus.doctor.check_models import examine_models
from refocus.doctor.check_source import examine
from refocus.doctor.data_root import walk
from refocus.doctor.findings import Diagnosis, Finding


def diagnose(root: Root, probe: int | None, sample: int = 0) -> Diagnosis:
    """Examines what a configuration uses.

    Args:
        probe: how many videos of each source have their headers read; None: all.
        sample: of how many clips of each source stored frames are compared with the video.
    """
    tree_of = cache(walk)
    reports = [
        examine(root, name, probe, tree_of) for name in [*root.use.datasets, *root.use.benchmarks, *root.use.haystacks]
    ]
    mixed = mixed_world(root)
    for report in reports if mixed else ():
        if report.role == "benchmark" and root.is_rendered(report.name):
            report.findings.append(Finding("warning", "mixed_world", mixed))
    for report in reports if sample else ():
        from refocus.doctor.check_frames import examine_frames  # decodes: loads what nothing else here needs

        report.findings += examine_frames(root, report.name, sample)
    return Diagnosis(reports, examine_models(root), examine_disk(root, reports))
