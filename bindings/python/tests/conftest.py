"""Scratch addresses: each test gets a store of its own, on every transport."""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest


@pytest.fixture(autouse=True)
def store(monkeypatch):
    """A private place for shared memory and sockets, removed afterwards."""
    path = tempfile.mkdtemp(prefix="weir-python.", dir="/dev/shm")
    monkeypatch.setenv("WEIR_SHM_DIR", path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=["shm", "unix"])
def address(request, store):
    return "shm://test/channel" if request.param == "shm" else f"unix://{store}/channel.sock"


@pytest.fixture
def shm():
    return "shm://test/channel"


@pytest.fixture
def run():
    """Run Python text in another process, with this process's environment."""
    started = []

    def start(text, *arguments, **options):
        process = subprocess.Popen([sys.executable, "-c", text, *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
