"""Files from strangers: sound ones, changed at random, given to every reader that takes them.

A reader may read the file or raise `ConfigError`; anything else is a fault, and so is a sentence
that a terminal could not show.
"""

from __future__ import annotations

import io
import random
import shutil
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from caveats.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.reliability_suite.kinds import Kind

__all__ = ["Outcome", "mutated", "reworded", "rezipped", "try_files"]

# Words that mean something to one of the readers.
WORDS = (
    b"null", b"1e999", b"-1", b"nan", b"NaN", b"inf", b"0", b"9" * 40, b"[link=x]y[/link]", b"[/]",
    b"\x1b[2J", b'"', b"{", b"]", b"\n", b",", b"=", b"\x00", b"\xff", b"1x9999-" * 40, b"true",
    "\u202e".encode(), b"[network]\nwidths = [1]\n", b'"units":[null]', b"../../x",
)  # fmt: skip

# Values of TOML, by the kind that the first letter of the old value tells.
NUMBERS = (
    "0", "-1", "1", "3", "5", "0.5", "1.0", "64", "1e-300", "1e300", "nan", "inf", "-inf",
    "9223372036854775807", "1_000",
)  # fmt: skip
TEXTS = (
    '""', '"x"', '"[b]"', '"relu"', '"adam"', '"moons"', '"auto"', '"none"', '"batch"', '"cosine"',
    '"he"', '"circles"', '"mse"', '"\\u0000"', '"\\u202E"', '"step 1"', '"finished"', '"mean"',
)  # fmt: skip
LISTS = (
    "[]", "[1]", "[[1]]", "[0]", "[2, 2, 2]", "[64, 64]", "[1000000000]", "[nan]", '["relu"]',
    '["é", "\\n"]', '["tanh", "gelu", "relu"]', '["zeros", "he", { name = "normal", std = 0.01 }]',
)  # fmt: skip
TABLES = ("{}", '{ name = "normal", std = 0.01 }', "{ name = 3 }", '{ name = "sparse" }')
VALUES = (*NUMBERS, *TEXTS, *LISTS, *TABLES, "true", "false", "1979-05-27")


@dataclass
class Outcome:
    """How many files were tried, read and refused, and each kind of fault with its number."""

    tried: int = 0
    read: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> int:
        return self.tried - self.read - self.faults.total()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` with one to three changes: bytes replaced, cut out, doubled, or made a word."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed) + 1)
        to = min(len(changed), at + rng.choice((1, 1, 1, 4, 20, 200)))
        kind = rng.randrange(6)
        if kind == 0:
            changed[at:to] = rng.randbytes(to - at)
        elif kind == 5:
            changed[at:to] = bytes(rng.choices(b"0123456789.-eE_ abc", k=to - at))
        elif kind == 1:
            del changed[at:to]
        elif kind == 2:
            changed[at:at] = changed[at:to]
        elif kind == 3:
            changed[at:to] = rng.choice(WORDS)
        else:
            changed[at:at] = rng.choice(WORDS)
    return bytes(changed)


def reworded(data: bytes, rng: random.Random) -> bytes:
    """TOML in which one to three values are replaced by others, most of them of the same kind."""
    lines = data.decode().splitlines()
    places = [i for i, line in enumerate(lines) if "=" in line]
    for at in rng.sample(places, min(len(places), rng.randint(1, 3))):
        key, _, value = lines[at].partition("=")
        lines[at] = f"{key}= {rng.choice(like(value.strip()) if rng.random() < 0.8 else VALUES)}"
    return "\n".join(lines).encode()


def like(value: str) -> tuple[str, ...]:
    """The values of the same kind as ``value``."""
    if value.startswith(('"', "{")):
        return (*TEXTS, *TABLES)
    if value.startswith("["):
        return LISTS
    return ("true", "false") if value in ("true", "false") else NUMBERS


def rezipped(data: bytes, rng: random.Random) -> bytes:
    """A zip file of which one file inside is changed, so that its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        inside = {name: old.read(name) for name in old.namelist()}
    name = rng.choice(sorted(inside))
    header = inside[name][:128]  # where an array's kind and shape are told
    if rng.random() < 0.7:
        inside[name] = mutated(header, rng) + inside[name][128:]
    else:
        inside[name] = mutated(inside[name], rng)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as new:
        for one, content in inside.items():
            new.writestr(one, content)
    return written.getvalue()


def try_files(kind: Kind, count: int, seed: int) -> Outcome:
    """Give ``count`` changed files of one kind to their reader."""
    rng = random.Random(seed)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "sound" / kind.name
        sound.parent.mkdir()
        kind.make(sound)
        kind.read(sound)  # a sound one must be read
        for _ in range(count):
            path = Path(place) / "tried" / kind.name
            path.parent.mkdir()
            if sound.is_dir():
                shutil.copytree(sound, path)
                target = rng.choice(sorted(p for p in path.rglob("*") if p.is_file()))
            else:
                shutil.copy(sound, path)
                target = path
            target.write_bytes(kind.change(target.read_bytes(), rng))
            judge_reading(kind, path, outcome)
            shutil.rmtree(path.parent)
    return outcome


def judge_reading(kind: Kind, path: Path, outcome: Outcome) -> None:
    outcome.tried += 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning would be written over the screen
            kind.read(path)
        outcome.read += 1
    except ConfigError as error:
        if not str(error).isprintable():
            outcome.faults["a sentence that cannot be shown"] += 1
        elif len(str(error)) > 2000:
            outcome.faults["a sentence of more than 2,000 characters"] += 1
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome.faults[f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"] += 1
