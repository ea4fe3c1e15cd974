"""What recording the terminal costs: the CPU time of the thread that writes to it, with and without
a recorder, as a share of the length of the recorded session.

``python -m benchmarks.recording [--rounds N]`` sends the screens of each cast in ``screenshots/``
again, text by text, to a terminal that accepts everything at once. The pace of the session does not
change the CPU time, so it is not kept. A demo repaints at least four times a second; a lab writes
less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

from caveats_tui.options import RecordingOptions
from caveats_tui.recording.cast import Recording, read_cast
from caveats_tui.recording.recorder import Recorder
from caveats_tui.terminal.output import Output

CASTS = Path(__file__).parents[1] / "screenshots"


def sent(recording: Recording, file: Path | None) -> float:
    """CPU seconds of sending the texts, recorded to ``file`` or, for None, not recorded."""
    master, slave = os.openpty()
    swallower = threading.Thread(target=swallow, args=(master,), daemon=True)
    swallower.start()
    output = Output(slave)
    recorder = Recorder(output, RecordingOptions())
    if file is not None:
        recorder.start(file, "benchmark")
    start = time.thread_time()
    for event in recording.events:
        if event.code == "o":
            output.write(event.data)
            output.flush()
    spent = time.thread_time() - start
    recorder.stop()
    os.close(slave)
    swallower.join()
    os.close(master)
    return spent


def swallow(master: int) -> None:
    try:
        while os.read(master, 1 << 16):
            pass
    except OSError:  # the other end was closed
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        for path in sorted(CASTS.glob("*.cast")):
            recording = read_cast(path)
            shares = []
            for number in range(rounds):
                plain = sent(recording, None)
                taped = sent(recording, Path(place) / f"{path.stem}{number}.cast")
                shares.append((taped - plain) / recording.seconds)
            size = (Path(place) / f"{path.stem}0.cast").stat().st_size
            low, middle, high = statistics.quantiles(shares, n=4)
            print(
                f"{path.stem:20} {recording.seconds:5.1f} s, {size / recording.seconds / 1e3:5.1f} "
                f"KB/s: {middle:.5f} [{low:.5f}, {high:.5f}] of a core"
            )


if __name__ == "__main__":
    main()
