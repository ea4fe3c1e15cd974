"""The table of data sets: what each one is, what a user may set, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from caveats.choice import Choice, Option, Table, later

__all__ = ["DATASETS", "DatasetChoice", "Task"]

digits, generators = later("caveats.data.digits"), later("caveats.data.generators")

Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class DatasetChoice(Choice):
    """A data set and the kind of its targets.

    ``classes`` is the number of classes (an option of that name overrides it), None where targets
    are numbers. ``pixels`` says that all features are standardized with one common mean and
    deviation. The maker takes every option by name except ``shift``, which `caveats.data.load`
    adds. It returns x (rows, features), and y as classes (rows,) or numbers (rows, targets).
    """

    classes: int | None = 2
    pixels: bool = False

    @property
    def task(self) -> Task:
        return "regression" if self.classes is None else "classification"


SEED = Option("seed", 0, "which draw of the data", low=0, high=2**63 - 1)
SHIFT = Option(
    "shift",
    0.0,
    "added to every input before standardizing, which removes it again",
    low=-1e6,
    high=1e6,
)

SHARE = Option(
    "share",
    0.5,
    "share of the rows that are of class 1, which makes it the rarer one",
    low=0.001,
    high=0.5,
    quiet=True,
)


def rows(default: int = 1000) -> Option:
    # 100,000 rows of 500 features take 400 MB while they are drawn, which a laptop can hold.
    return Option("n", default, "rows drawn", low=2, high=100_000)


def noise(default: float, sentence: str = "standard deviation added to every input") -> Option:
    return Option("noise", default, sentence, low=0.0, high=1e3)


def classes(default: int) -> Option:
    return Option(
        "classes",
        default,
        "number of classes, with equally many rows if n allows",
        low=2,
        high=100,
    )


def features(default: int) -> Option:
    return Option("features", default, "inputs of a row", low=1, high=500)


TARGET_NOISE = "standard deviation added to every target"

DATASETS: Table[DatasetChoice] = Table(
    "data set",
    DatasetChoice(
        "moons", lambda: generators.moons,
        "Two half circles that reach into each other: no straight line separates them.",
        "scikit-learn, make_moons",
        (rows(), noise(0.1), SEED, SHARE, SHIFT),
    ),
    DatasetChoice(
        "circles", lambda: generators.circles,
        "A ring of radius 1 around a ring of radius ½: the boundary must be a closed curve.",
        "scikit-learn, make_circles",
        (rows(), noise(0.05), SEED, SHARE, SHIFT),
    ),
    DatasetChoice(
        "spirals", lambda: generators.spirals,
        "Arms wound around one another: the more turns, the longer the ravine that plain gradient "
        "descent crawls along.",
        "Lang & Witbrock 1988",
        (
            rows(), noise(0.0), SEED,
            Option("turns", 1.5, "how often an arm goes round", low=0.0, high=20.0, open_low=True),
            classes(2), SHIFT,
        ),
    ),
    DatasetChoice(
        "xor", lambda: generators.xor,
        "The sign of x·y on a square: no input tells anything alone, so small weights start on a "
        "saddle.",
        "Minsky & Papert 1969",
        (rows(), noise(0.0), SEED, SHIFT),
    ),
    DatasetChoice(
        "blobs", lambda: generators.blobs,
        "Gaussian clouds around random centres: easy, so what fails here is the network's own "
        "doing.",
        "scikit-learn, make_blobs",
        (
            rows(), noise(1.0, "standard deviation of a cloud"), SEED,
            classes(3), features(2), SHIFT,
        ),
    ),
    DatasetChoice(
        "gaussian_teacher", lambda: generators.gaussian_teacher,
        "Standard normal inputs, labelled by a random tanh network: a task known to be learnable, "
        "with the inputs that theory likes best.",
        "Saad & Solla 1995",
        (rows(), SEED, classes(4), features(20), SHIFT),
    ),
    DatasetChoice(
        "abs", lambda: generators.absolute,
        "y = |x| on [-√3, √3], the target on which narrow deep ReLU networks are born dead.",
        "Lu et al. 2019",
        (rows(), noise(0.0, TARGET_NOISE), SEED, SHIFT),
        classes=None,
    ),
    DatasetChoice(
        "sine", lambda: generators.sine,
        "y = sin x over one period; an offset moves the target far from where a network starts.",
        "Bishop 2006, section 1.1",
        (
            rows(), noise(0.0, TARGET_NOISE), SEED,
            Option("offset", 0.0, "added to every target", low=-1e6, high=1e6),
            Option(
                "scale", 1.0, "the sine is multiplied by it before the offset and the noise",
                low=0.0, high=1e6, open_low=True, quiet=True,
            ),
            SHIFT,
        ),
        classes=None,
    ),
    DatasetChoice(
        "digits", lambda: digits.digits,
        "1,797 real handwritten digits of 8×8 pixels, each from 0 to 16.",
        "Alpaydin & Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0",
        (
            Option("n", 0, "the first n images; 0 = all 1,797", low=0, high=1797),
            Option(
                "scale", 1.0, "every pixel is multiplied by it before the shift; 0.0625 gives 0..1",
                low=0.0, high=1e6, open_low=True,
            ),
            SHIFT,
        ),
        classes=10,
        pixels=True,
    ),
)  # fmt: skip
