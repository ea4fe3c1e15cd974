"""Trains runs in processes of their own, so that a test can kill them: forks, so that torch is
imported once. Reads lines "whole|train|resume CONFIG FOLDER" and answers with the child's pid, then
with its exit code. A child that trains reports each step through fd 3 as (step, records, time)."""

import os
import struct
import sys
import time
import traceback
from pathlib import Path

import torch

from caveats.config import RunConfig
from caveats.run import Run
from caveats.runs import writer as writing
from caveats.runs.resuming import resume
from caveats.runs.writer import Writer

TOLD = struct.Struct("<qqd")


def train(verb: str, config: RunConfig, folder: Path) -> None:
    torch.set_num_threads(1)
    if config.training.steps < 1000:  # a short run needs its checkpoints closer together
        writing.TICK, writing.CHECKPOINT_EVERY = 0.01, 0.05
        writing.SHARE_OF_TRAINER = writing.SHARE_OF_DISK = 1.0
    if verb == "resume":
        run, writer = resume(folder)
    else:
        run = Run(config)
        writer = Writer(run, folder)
    writer.tell("running")
    while not run.finished:
        run.advance()
        writer.between_steps()
        if verb == "train":
            newest, _ = run.history.version
            os.write(3, TOLD.pack(run.step, newest, time.monotonic()))
    writer.tell("finished")
    writer.close()
    assert writer.join()
    if writer.problem:
        raise OSError(writer.problem)


for line in sys.stdin:
    verb, toml, folder = line.split()
    pid = os.fork()
    if not pid:
        try:
            train(verb, RunConfig.read(toml), Path(folder))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
