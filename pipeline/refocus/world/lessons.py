"""What the tiny models are taught when: one skill after another, the next when most answers are right."""

from dataclasses import dataclass, replace

from refocus.world.tasks import Shares

LEAST = 40  # steps of a lesson or stage, at least


@dataclass(frozen=True)
class Lesson:
    """What is asked behind how many frames, and when the lesson is over.

    forms: shares of the steps that ask to find an option, to name an answer, to tell what follows what, and to choose.
    shares: of questions on one moment, on two, and on any frame. blind: share of tasks that name a shape no
    frame shows. over: the answers of which a share `enough` must be right. in_a_row: one frame each of events that
    follow one another, so that the next frame is the next event. again: share of the clips with two events in a row
    that show all frames of one or both of them. neighbors: whether a task is also blind if no frame shows a shape in
    the place of the neighbor it asks for.
    """

    forms: tuple[float, float, float, float]
    shares: Shares
    frames: tuple[int, ...]
    over: str
    enough: float = 0.9
    in_a_row: bool = False
    blind: float = 0.0
    again: float = 0.0
    neighbors: bool = False


FORMS = {"find": 4, "name": 8, "tell": 8, "choose": 4}  # of a step, and how many behind each clip
LESSONS = (
    Lesson((1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (1,), "find option"),
    Lesson((0.2, 0.8, 0.0, 0.0), (0.7, 0.0, 0.3), (2, 3, 4, 6), "name moment"),
    Lesson((0.1, 0.3, 0.6, 0.0), (0.8, 0.0, 0.2), (2, 3, 4), "tell backwards", in_a_row=True),
    Lesson((0.1, 0.7, 0.2, 0.0), (0.1, 0.8, 0.1), (3, 4), "name sequence", in_a_row=True),
    Lesson((0.1, 0.3, 0.1, 0.5), (0.25, 0.65, 0.1), (3, 4, 6), "choose sequence", 0.85),
    Lesson((0.0, 0.3, 0.0, 0.7), (0.3, 0.55, 0.15), (2, 4, 6, 8), "", 2.0, blind=0.4),
)
AGAIN = (replace(LESSONS[-1], again=0.4, neighbors=True),)  # taught earlier, it cost a tenth of the answers


@dataclass(frozen=True)
class Stage:
    """A part of the training: what is asked about which videos, and when it is over.

    choose: share of the steps whose questions come with options. shares: of questions on one moment, on two, and on any
    frame. events: how many a video may show; none: as the world's videos do. clips: how many a step asks about. fresh:
    how many videos each step adds. group, enough: it is over when that share of the named answers to a group of
    questions is right.
    """

    choose: float
    shares: Shares
    events: tuple[int, ...]
    clips: int
    fresh: int
    group: str = "sequence"
    enough: float = 2.0


CURRICULUM = (
    Stage(0.0, (0.9, 0.0, 0.1), (2,), 40, 4, "moment", 0.8),
    Stage(0.1, (0.8, 0.1, 0.1), (3,), 32, 4, "moment", 0.85),
    Stage(0.0, (0.15, 0.8, 0.05), (3,), 32, 4, "sequence", 0.8),
    Stage(0.0, (0.15, 0.8, 0.05), (4, 5, 6), 32, 4, "sequence", 0.78),
    Stage(0.3, (0.3, 0.6, 0.1), (), 20, 2),
)
