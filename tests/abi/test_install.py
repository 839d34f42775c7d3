"""An installed tree is enough to build against, through pkg-config and through find_package."""
import os
import re
import subprocess

import pytest

SOURCE = os.environ["WEIR_SOURCE"]
BUILD = os.environ["WEIR_BUILD"]

PROGRAM = """
#include <stdio.h>
#include <weir/weir.h>
int main(void) {
    weir_writer *writer = NULL;
    weir_error err;
    int status = weir_writer_open("lab/installed", &writer, &err);
    if (status) return fprintf(stderr, "%s\\n", err.text), 1;
    puts(weir_version());
    return weir_writer_close(writer) != NULL;
}
"""


def prefix_of():
    with open(os.path.join(BUILD, "CMakeCache.txt")) as file:
        return re.search(r"^CMAKE_INSTALL_PREFIX:\w+=(.*)$", file.read(), re.M).group(1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The prefix below a staging folder, installed from the build that is being tested."""
    stage = tmp_path_factory.mktemp("stage")
    subprocess.run(["cmake", "--install", BUILD], env={**os.environ, "DESTDIR": str(stage)}, check=True,
                   stdout=subprocess.DEVNULL)
    return str(stage) + prefix_of()


def find(root, name):
    found = [os.path.join(folder, name) for folder, _, files in os.walk(root) if name in files]
    assert len(found) == 1, "%s is installed %d times below %s" % (name, len(found), root)
    return found[0]


def run(program, root, tmp_path):
    environment = {**os.environ, "LD_LIBRARY_PATH": os.path.dirname(find(root, "libweir.so")),
                   "WEIR_SHM_DIR": str(tmp_path)}
    return subprocess.run([program], capture_output=True, text=True, env=environment)


def version():
    with open(os.path.join(SOURCE, "include", "weir", "base.h")) as file:
        return ".".join(re.findall(r"#define WEIR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read()))


def test_pkg_config(root, tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    environment = {**os.environ, "PKG_CONFIG_PATH": os.path.dirname(find(root, "weir.pc"))}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "weir"], capture_output=True, text=True, env=environment,
                           check=True).stdout.split()
    program = str(tmp_path / "program")
    subprocess.run(["cc", str(tmp_path / "program.c"), "-o", program] + flags, check=True)
    done = run(program, root, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version(), "")
    stated = subprocess.run(["pkg-config", "--modversion", "weir"], capture_output=True, text=True, env=environment)
    assert stated.stdout.strip() == version()


def test_find_package(root, tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(program C)\nfind_package(weir 0.1 REQUIRED)\n"
        "add_executable(program program.c)\ntarget_link_libraries(program PRIVATE weir::weir)\n")
    build = str(tmp_path / "build")
    subprocess.run(["cmake", "-S", str(tmp_path), "-B", build, "-DCMAKE_PREFIX_PATH=" + root], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", build], check=True, stdout=subprocess.DEVNULL)
    done = run(os.path.join(build, "program"), root, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version(), "")


def test_installed_command_finds_its_library(root):
    command = os.path.join(root, "bin", "weir")
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    done = subprocess.run([command, "--version"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "weir %s\n" % version())


def test_no_build_path_is_installed(root):
    """Text files that name the build or source folder would break on another machine."""
    for name in ("weir.pc", "weirConfig.cmake", "weirTargets.cmake"):
        with open(find(root, name)) as file:
            text = file.read()
        assert BUILD not in text and SOURCE not in text, name


def test_man_pages_are_installed(root):
    pages = [name for folder, _, files in os.walk(os.path.join(root, "share", "man")) for name in files]
    assert "weir.1" in pages and "weir-pub.1" in pages
