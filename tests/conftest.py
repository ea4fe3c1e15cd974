"""No test may keep runs among those of the person who runs the tests."""

import os

import pytest


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
