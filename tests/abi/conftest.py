"""An installed tree for all tests here."""
import os
import subprocess

import pytest
from installed import BUILD, cached


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """The prefix below a staging folder, installed from the build that is being tested."""
    stage = tmp_path_factory.mktemp("stage")
    subprocess.run(["cmake", "--install", BUILD], env={**os.environ, "DESTDIR": str(stage)}, check=True,
                   stdout=subprocess.DEVNULL)
    return str(stage) + cached("CMAKE_INSTALL_PREFIX")
