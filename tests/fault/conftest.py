"""A scratch folder for each test, where strace and what it traces are there."""
import os
import shutil
import subprocess
import tempfile

import pytest

from syscalls import COMMAND, PEER


@pytest.fixture
def place():
    for program in ("strace", PEER, COMMAND):
        if not shutil.which(program):
            pytest.skip(f"{program} is not there")
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()}")
    with tempfile.TemporaryDirectory(prefix="weir-fault-") as directory:
        os.environ["WEIR_SHM_DIR"] = directory + "/shm"
        os.mkdir(directory + "/shm")
        yield directory
