"""What holds for all tests: they keep no runs and no settings among those of the person who runs
them, and torch has one thread, here and in every process that a test starts: with more, small
networks train up to ten times slower on a machine that does something else as well. A hang-up
and ctrl-c end programs that tests start even where the tests themselves run in the background or
under nohup."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what is ignored is inherited
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]
MYPY = pytest.StashKey[tuple[subprocess.Popen[bytes], Path]]()


def pytest_collection_finish(session):
    """Without its cache mypy takes 25 s: it starts on another core before the first test, if its
    own test is among them."""
    wanted = any(item.name == "test_mypy_finds_nothing" for item in session.items)
    if wanted and not session.config.option.collectonly and importlib.util.find_spec("mypy"):
        handle, said = tempfile.mkstemp(prefix="mypy-", suffix=".txt")
        process = subprocess.Popen(
            [sys.executable, "-m", "mypy"], cwd=ROOT, stdout=handle, stderr=subprocess.STDOUT
        )
        os.close(handle)
        session.config.stash[MYPY] = process, Path(said)


def pytest_unconfigure(config):
    process, said = config.stash.get(MYPY, (None, None))
    if process is not None:
        process.kill()
        process.wait()
        said.unlink()


@pytest.fixture
def mypy(request):
    """The process that checks the types, and the file with what it says; None without mypy."""
    return request.config.stash.get(MYPY, None)


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
