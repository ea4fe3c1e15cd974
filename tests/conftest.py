"""What holds for all tests: they keep no runs and no settings among those of the person who runs
them, and torch has one thread, here and in every process that a test starts: with more, small
networks train up to ten times slower on a machine that does something else as well. A hang-up
and ctrl-c end programs that tests start even where the tests themselves run in the background or
under nohup."""

import os
import signal

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what is ignored is inherited
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory):
    # For programs that tests start too, so by the environment and not by a patch.
    folders = {"XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config"}
    before = {name: os.environ.get(name) for name in folders}
    os.environ |= {name: str(tmp_path_factory.mktemp(of)) for name, of in folders.items()}
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
