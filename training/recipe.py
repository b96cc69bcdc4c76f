"""How a model is made: every number that a run depends on, beside its folder and its seed."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Course:
    """One network's learning: first the head alone, then all, at a rate that rises and falls to nothing."""

    network: str
    epochs: int
    apart: int = 1  # epochs before those, in which the head learns alone, unless it is begun from a model file too
    shown: int = 32_768  # images an epoch
    batch: int = 256
    rate: float = 4e-4
    head_rate: float = 1e-3
    still: int = 4  # blocks, from the first, that stay as ImageNet taught them
    kept: float = 0.0  # the share of the weights from before all learnt that is mixed in at the end
    decay: float = 0.02
    remembering: float = 0.3  # the weight of what it knew of ImageNet
    trusted: float = 0.7  # how far a student believes its teachers rather than the labels
    average: float = 0.998  # how slowly the averaged weights follow


@dataclass(frozen=True)
class Courses:
    """Teachers learn from the labels, the student mostly from its teachers."""

    student: Course
    teacher: Course
    teachers: int


@dataclass(frozen=True)
class Recipe:
    """A run: what is made, and how it is rehearsed with whole sources held out."""

    learnt_side: int  # of the squares that are learnt from, in pixels
    side: int  # of those that the model takes: larger, since cuts show animals larger than they are (Touvron 2019)
    courses: Courses
    rehearsed: Courses


_FURTHER = Course("lite2", epochs=2, shown=24_576, batch=64, rate=2e-4, head_rate=5e-4, still=7, kept=0.75)

RECIPES = {
    # For one GPU and a quarter of an hour. At 224 pixels, and with fewer animals far off, it made pets@1.
    "full": Recipe(
        224,
        248,
        Courses(Course("lite2", epochs=10), Course("lite2", epochs=5), teachers=1),
        Courses(Course("lite2", epochs=5), Course("lite2", epochs=4), teachers=1),
    ),
    # For two cores: the same network with no teacher, and few images.
    "frugal": Recipe(
        224,
        248,
        Courses(Course("lite2", epochs=2, apart=2, shown=24_576, batch=64), Course("lite2", epochs=0), teachers=0),
        Courses(Course("lite2", epochs=1, apart=2, shown=24_576, batch=64), Course("lite2", epochs=0), teachers=0),
    ),
    # To go on from a model that is there, on two cores. Three quarters of its weights are mixed in at the end, lest it
    # forgets. It made pets@2 of pets@1.
    "further": Recipe(
        224,
        248,
        Courses(_FURTHER, _FURTHER, teachers=0),
        Courses(replace(_FURTHER, epochs=1), _FURTHER, teachers=0),
    ),
    # To see that everything works, in a minute.
    "glance": Recipe(
        96,
        96,
        Courses(
            Course("lite0", epochs=1, apart=1, shown=96, batch=32),
            Course("lite0", epochs=1, apart=1, shown=64, batch=32),
            teachers=1,
        ),
        Courses(Course("lite0", epochs=1, apart=1, shown=96, batch=32), Course("lite0", epochs=0), teachers=0),
    ),
}
