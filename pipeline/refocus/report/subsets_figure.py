"""Figure 7: the eight windows, their complements, and the frames sampled from each."""

from matplotlib.figure import Figure

from refocus.frames.sampling import sample
from refocus.report import style
from refocus.reward.windows import N_WINDOWS, regions


def draw_subsets(
    n_frames: int = 256, frames_per_subset: int = 32, windows: str = "wrapped", sampling: str = "midpoints"
) -> Figure:
    """One row per subset: its region as a band, its sampled frames as dots."""
    figure = style.new(9, 5.2)
    axes = figure.subplots()
    labels = []
    for index, region in enumerate(regions(n_frames, windows)):
        window, complement = index % N_WINDOWS, index >= N_WINDOWS
        row = index + (0.6 if complement else 0)
        colour = style.VERMILION if complement else style.BLUE
        for start, end in _runs(region):
            axes.broken_barh([(start, end - start)], (row - 0.3, 0.6), color=colour, alpha=0.22, linewidth=0)
        picked = sample(region, frames_per_subset, sampling) if region else ()
        axes.plot([frame + 0.5 for frame in picked], [row] * len(picked), ".", color=colour, markersize=4)
        labels.append((row, f"$C_{window + 1}$" if complement else f"$W_{window + 1}$"))
    axes.set_yticks([row for row, _ in labels], [label for _, label in labels])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xticks([i * n_frames / N_WINDOWS for i in range(N_WINDOWS + 1)])
    axes.set(xlim=(0, n_frames), xlabel=f"frame index of a clip with T = {n_frames}")
    axes.set_title(
        f"16 subsets of at most {frames_per_subset} frames: windows (top) and complements (bottom), “{windows}”"
    )
    return figure


def _runs(region: tuple[int, ...]) -> list[tuple[int, int]]:
    """Contiguous stretches [start, end) of sorted frames."""
    runs: list[tuple[int, int]] = []
    for frame in region:
        if runs and runs[-1][1] == frame:
            runs[-1] = (runs[-1][0], frame + 1)
        else:
            runs.append((frame, frame + 1))
    return runs
