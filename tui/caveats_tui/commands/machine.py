"""Finds out about this machine: versions, cores, devices. It loads torch."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from caveats.errors import visible
from caveats_tui.terminal.log import log_path

__all__ = ["Gpu", "Machine", "look"]

PACKAGES = ("caveats-tui", "torch", "numpy", "textual", "plotext")


class Gpu(NamedTuple):
    """A device besides the CPU that a run can use; ``memory`` is in bytes, None if the device
    shares the machine's memory."""

    device: str
    name: str
    memory: int | None


class Machine(NamedTuple):
    """What was found. ``versions`` has None for a package that is not installed; ``trouble`` says
    why torch cannot be loaded or CUDA cannot be used."""

    python: str
    system: str
    versions: Mapping[str, str | None]
    cores: int
    threads: int | None
    gpus: tuple[Gpu, ...]
    cuda_build: str | None
    nvidia: bool
    trouble: str | None
    log: Path


def look() -> Machine:
    """Examine this machine; takes as long as `import torch`, some 2 s."""
    versions = {name: _version(name) for name in PACKAGES}
    threads: int | None = None
    gpus: tuple[Gpu, ...] = ()
    cuda_build: str | None = None
    trouble: str | None = None
    # CUDA reports a driver that is too old by a warning
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            import torch
        except (ImportError, OSError) as error:  # OSError: a library that torch needs is missing
            trouble = f"torch cannot be loaded: {_first_line(error)}"
        else:
            versions["torch"] = torch.__version__
            threads = torch.get_num_threads()
            cuda_build = torch.version.cuda
            gpus = _gpus()
            if cuda_build and not gpus and warned:
                trouble = _first_line(warned[-1].message)
    return Machine(
        python=f"{platform.python_version()} ({sys.executable})",
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        versions=versions,
        cores=_cores(),
        threads=threads,
        gpus=gpus,
        cuda_build=cuda_build,
        nvidia=any(Path(path).exists() for path in ("/dev/nvidia0", "/dev/dxg")),
        trouble=trouble,
        log=log_path(),
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))  # the cores that a container or a scheduler allows
    return os.cpu_count() or 1


def _gpus() -> tuple[Gpu, ...]:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [
        Gpu(f"cuda:{i}", visible(properties.name), properties.total_memory)
        for i, properties in enumerate(map(torch.cuda.get_device_properties, range(count)))
    ]
    if torch.backends.mps.is_available():
        found.append(Gpu("mps", "Apple GPU", None))
    return tuple(found)


def _first_line(error: object) -> str:
    return visible((str(error).splitlines() or [type(error).__name__])[0])
