"""What every table and figure shows, in a line, for pages and reports: by the name of its files."""

import re

TABLES = {
    "world": "the synthetic world, by what must be seen to answer",
    "table1": "accuracy on the groups of every benchmark",
    "table2": "Video-MMMU by track, and what the lecture adds",
    "table3": "distances between selection distributions",
    "table4": "accuracy by number of frames",
    "world_frames": "the synthetic world by number of frames and kind of question",
    "evidence_recall": "evidence found by the picks",
    "niah": "needles found in haystacks",
    "selectors": "what selecting costs beside what it reaches",
    "fig4_likelihood": "accuracy by the frames' likelihood",
}
FIGURES = {
    "accuracy": "Accuracy of every selector, by what must be seen to answer.",
    "evidence_recall": "How much of the evidence the picks show, without asking any LMM (docs/figures.md).",
    "fig4_likelihood": "Accuracy from the frames above and below each share of the policy's likelihood (Fig. 4).",
    "fig5_niah": "Needles in haystacks, by depth and length (Fig. 5).",
    "training": "Training: the mean over the seeds, shaded from the lowest to the highest.",
    "fig9_examples": "Questions drawn by lot, with the frames that each selector picks (Fig. 9).",
    "one_question": "The first question that only the policy's frames answer, of those that need the most moments.",
    "fig2_variance": "Variance of the margins of every training question (Fig. 2).",
    "fig6_temporal_entropy": "How far apart in time the picks lie, over training (Fig. 6).",
    "fig7_subsets": "The 16 subsets that the margin is computed on: eight windows and their complements (Fig. 7).",
}


def number(name: str) -> str:
    """What the paper calls a table or figure: `Table 1`, `Fig. 2`; a dash for our own."""
    found = re.match(r"(table|fig)(\d+)", name)
    return f"{'Table' if found[1] == 'table' else 'Fig.'} {found[2]}" if found else "–"
