"""What selector reaches what in a study, drawn."""

from matplotlib.figure import Figure

from refocus.config.selectors import kind_of
from refocus.qa.records import Question
from refocus.report.accuracy_panels import AccuracyPanel, Bars, chance, draw_panels
from refocus.report.contrast import Side
from refocus.report.selector_table import sides
from refocus.report.study import QuestionSet, Study


def draw_selectors(study: Study) -> Figure | None:
    """Accuracy with its interval over videos. None where nothing was answered."""
    shown = [side for side in sides(study) if study.score(side) is not None]
    if not shown:
        return None
    panels = [AccuracyPanel(group.name, chance(_asked(study, shown[0], group))) for group in study.groups]
    rows = [
        Bars(
            side.name.strip("`").replace("**", ""),
            kind_of(side.selectors[0]),
            [study.score(side, group) for group in study.groups],
        )
        for side in shown
    ]
    title = f"{study.root.main_n_frames} frames, by what must be seen to answer (synthetic world)"
    return draw_panels(title, panels, {study.root.use.lmms[0]: rows}, study.root.tables.confidence_level)


def _asked(study: Study, side: Side, group: QuestionSet) -> list[Question]:
    counted = {o.qa_id for run in study.outcomes(side, group.keep) for o in run}
    return [q for b in study.results.benchmarks.values() for q in b.questions if q.qa_id in counted]
