"""An installed tree is enough to build against, through pkg-config and through find_package."""
import os
import subprocess

from installed import BUILD, SOURCE, build, find, flags, run, version, with_cmake

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


def test_pkg_config(root, tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    program = str(tmp_path / "program")
    build(["cc", str(tmp_path / "program.c"), "-o", program] + flags("weir", root))
    done = run([program], root, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version(), "")
    stated = run(["pkg-config", "--modversion", "weir"], root, tmp_path)
    assert stated.stdout.strip() == version()


def test_find_package(root, tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    done = run([with_cmake(tmp_path, root, "C", "program.c", "weir::weir")], root, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version(), "")


def test_installed_command_finds_its_library(root):
    command = os.path.join(root, "bin", "weir")
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    done = subprocess.run([command, "--version"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, "weir %s\n" % version())


def test_installed_modules_find_the_library(root):
    """Wherever the tree is moved to: nothing but their own place tells them."""
    modules = [os.path.join(folder, name) for folder, _, files in os.walk(root) for name in files
               if name.endswith(".so") and (name == "weir.so" or name.startswith("core."))]
    for module in modules:
        said = subprocess.run(["ldd", module], capture_output=True, text=True,
                              env={k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}).stdout
        assert os.path.realpath(find(root, "libweir.so")) in map(os.path.realpath, said.split()), said


def test_no_build_path_is_installed(root):
    """Text files that name the build or source folder would break on another machine."""
    for name in ("weir.pc", "weir-fortran.pc", "weirConfig.cmake", "weirTargets.cmake"):
        with open(find(root, name)) as file:
            text = file.read()
        assert BUILD not in text and SOURCE not in text, name


def test_man_pages_are_installed(root):
    pages = [name for folder, _, files in os.walk(os.path.join(root, "share", "man")) for name in files]
    assert "weir.1" in pages and "weir-pub.1" in pages
