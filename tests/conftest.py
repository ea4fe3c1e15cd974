"""What holds for all tests: they keep no runs among those of the person who runs them, and torch
has one thread, here and in every process that a test starts: with more, small networks train up to
ten times slower on a machine that does something else as well. A hang-up and ctrl-c end programs
that tests start even where the tests themselves run in the background or under nohup."""

import os
import signal

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what is ignored is inherited
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_data_home(tmp_path_factory):
    # For programs that tests start too, so by the environment and not by a patch.
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    yield
    if before is None:
        del os.environ["XDG_DATA_HOME"]
    else:
        os.environ["XDG_DATA_HOME"] = before
