"""Before anything is started: what is missing is said in one sentence with the way out."""
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile

import pytest

from conftest import DEADLINE_S, WEIR, processes_of, scratch_environment, until


@pytest.fixture
def folder():
    made = tempfile.mkdtemp(prefix="weir-demo-test-", dir="/dev/shm")
    os.makedirs(made + "/shm", mode=0o700)
    os.makedirs(made + "/run", mode=0o700)
    yield made
    assert processes_of(made) == []
    shutil.rmtree(made)


def refused(folder, *arguments, code=1, **environment):
    done = subprocess.run([WEIR, "demo", *arguments], env={**scratch_environment(folder), **environment}, capture_output=True,
                          text=True, timeout=DEADLINE_S)
    assert done.returncode == code, done
    assert done.stdout == "" and done.stderr.startswith("weir: ") and done.stderr.count("\n") == 1, done
    assert os.listdir(folder + "/run") == [], "nothing was begun"
    return done.stderr


def path_without(folder, name, stand_in=None):
    """A PATH with everything but one program, or another in its place."""
    place = pathlib.Path(folder, "bin")
    place.mkdir()
    for program in ("sh", "tar", "mkdir", "python3", "php"):
        if program != name:
            (place / program).symlink_to(shutil.which(program))
    if stand_in:
        (place / name).write_text(stand_in)
        (place / name).chmod(stat.S_IRWXU)
    return str(place)


def test_port_in_use(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(folder, "--port", str(port))
    assert f"port {port}" in said and "weir demo --port " in said


def test_impossible_port(folder):
    assert "1 to 65535" in refused(folder, "--port", "99999", code=2)


def test_unknown_transport(folder):
    assert "there are: shm, sysv, unix, tcp, fifo, file" in refused(folder, "--transport", "pigeon", code=2)


def test_no_php(folder):
    assert "apt install php-cli" in refused(folder, "--port", "0", PATH=path_without(folder, "php"))


def test_php_without_the_extension(folder):
    stand_in = "#!/bin/sh\nexit 1\n"
    assert 'no extension "weir"' in refused(folder, "--port", "0", PATH=path_without(folder, "php", stand_in))


def test_python_without_modules(folder):
    """A sitecustomize that hides psutil from every python3."""
    hiding = pathlib.Path(folder, "psutil.py")
    hiding.write_text("raise ModuleNotFoundError(\"No module named 'psutil'\")\n")
    said = refused(folder, "--port", "0", PYTHONPATH=folder)
    assert "No module named 'psutil'" in said and "apt install python3-numpy python3-psutil" in said


def test_no_parts(folder):
    assert "WEIR_DEMO_DIR" in refused(folder, "--port", "0", WEIR_DEMO_DIR=folder)


def test_page_without_charts(folder):
    shutil.copytree(pathlib.Path(__file__).parent.parent, folder + "/mine", ignore=shutil.ignore_patterns("node_modules", "tests"))
    assert "npm ci" in refused(folder, "--port", "0", WEIR_DEMO_DIR=folder + "/mine")


def test_folder_of_something_else(folder):
    assert "holds something else" in refused(folder, "--port", "0", "--dir", folder, code=2)


def test_second_demo(start_demo):
    demo = start_demo()
    until(lambda: demo.get("/api/latest").json()["channels"]["vitals"], "vitals")
    done = subprocess.run([WEIR, "demo", "--port", "0"], env=demo.environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1 and "running already" in done.stderr and "WEIR_SHM_DIR" in done.stderr


def test_what_is_passed_over_is_told_where_the_demo_says(start_demo):
    """The folder of the parts' logs is named; what is suggested can be typed though weir is not on the PATH."""
    demo = start_demo()
    (place,) = (line.split()[-1] for line in demo.said().splitlines() if "what they say is in" in line)
    folder = pathlib.Path(place).parent
    assert place.endswith("/*.log") and str(folder).startswith(demo.folder + "/run/")
    assert sorted(log.name for log in folder.glob("*.log")) == ["analyse.log", "host.log", "jitter.log", "page.log"]
    until(lambda: demo.get("/api/latest").json()["channels"]["vitals"], "vitals")
    demo.weir("pub", "demo/host", '{"load": 99}')
    until(lambda: "host" in (folder / "analyse.log").read_text(), "the computation's word about it")
    assert "  try   %s ls\n" % WEIR in demo.said() or shutil.which("weir")
    assert demo.stop() == 0 and not folder.exists()


def test_copies_to_edit(start_demo, tmp_path):
    """--dir puts copies there, runs them, and runs what was made of them the next time."""
    mine = tmp_path / "mine"
    demo = start_demo("--dir", str(mine))
    assert str(mine) in demo.said()
    assert (mine / "page/index.php").exists() and (mine / "processing/kernels.f90").exists()
    assert not (mine / "web/node_modules/playwright-core").exists()
    assert demo.stop() == 0
    page = mine / "page/index.php"
    page.write_text(page.read_text().replace("<title>weir telemetry</title>", "<title>mine</title>"))
    demo = start_demo("--dir", str(mine))
    assert "<title>mine</title>" in demo.get("/").text
