"""The bindings in an installed tree: each is used from there with what its README says, and the two that other tools can
build (pip, phpize) are built by them.
"""
import importlib.util
import os
import shutil
import subprocess

import pytest
from installed import SOURCE, build, cached, environment, find, flags, run, version, with_cmake

CPP = """
#include <iostream>
#include <weir/weir.hpp>
int main() {
    weir::writer writer("lab/installed");
    writer.send(21);
    std::cout << 2 * weir::latest("lab/installed").as<int>() << std::endl;
}
"""

FORTRAN = """
program installed
    use weir
    implicit none
    type(weir_writer) :: w
    type(weir_message) :: m
    integer :: number
    call w%open('lab/installed')
    call w%send(21)
    call weir_get('lab/installed', m)
    call m%get('', number)
    print '(i0)', 2*number
end program installed
"""

PYTHON = """
import array
import weir
with weir.writer("lab/installed") as writer:
    writer.send(array.array("d", [1, 20]))
    print(int(2 * sum(weir.get("lab/installed").array)))
print(weir.__version__, weir.version())
"""

PHP = """
$writer = new Weir\\Writer("lab/installed");
$writer->send(21);
echo 2 * Weir\\get("lab/installed")->data, " ", Weir\\version(), "\\n";
"""


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def answers(command, root, tmp_path, wanted="42\n", **more):
    done = run(command, root, tmp_path, **more)
    assert (done.returncode, done.stdout, done.stderr) == (0, wanted, "")


def needed(*variables):
    """What the build found of a language, or a skip that says what it did not find."""
    found = [cached(name) for name in variables]
    for name, value in zip(variables, found):
        if not value:
            pytest.skip("this build has no %s" % name)
    return found if len(found) > 1 else found[0]


def test_cpp_with_pkg_config(root, tmp_path):
    compiler = needed("CMAKE_CXX_COMPILER")
    source = written(tmp_path, "program.cpp", CPP)
    build([compiler, "-std=c++20", source, "-o", str(tmp_path / "program")] + flags("weir", root))
    answers([str(tmp_path / "program")], root, tmp_path)


def test_cpp_with_find_package(root, tmp_path):
    needed("CMAKE_CXX_COMPILER")
    written(tmp_path, "program.cpp", CPP)
    answers([with_cmake(tmp_path, root, "CXX", "program.cpp", "weir::cpp")], root, tmp_path)


def test_fortran_with_pkg_config(root, tmp_path):
    compiler = needed("CMAKE_Fortran_COMPILER")
    source = written(tmp_path, "program.f90", FORTRAN)
    build([compiler, source, "-o", str(tmp_path / "program")] + flags("weir-fortran", root))
    answers([str(tmp_path / "program")], root, tmp_path)


def test_fortran_with_find_package(root, tmp_path):
    needed("CMAKE_Fortran_COMPILER")
    written(tmp_path, "program.f90", FORTRAN)
    answers([with_cmake(tmp_path, root, "Fortran", "program.f90", "weir::fortran")], root, tmp_path)


def test_fortran_from_its_installed_sources(root, tmp_path):
    """For another compiler than the one that made the .mod files: the order that the README gives."""
    compiler = needed("CMAKE_Fortran_COMPILER")
    folder = os.path.dirname(find(root, "weir.f90"))
    parts = ["constants", "raw", "support", "content", "ends", "calls"]
    sources = ["%s/weir_%s.f90" % (folder, part) for part in parts] + [folder + "/weir.f90"]
    include = "-I" + os.path.join(root, "include")
    build(["cc", "-c", "-D_GNU_SOURCE", include, folder + "/shim.c", folder + "/convert.c"], cwd=tmp_path)
    build([compiler, "-I" + folder, *sources, written(tmp_path, "program.f90", FORTRAN), "shim.o", "convert.o", "-o",
           "program"] + flags("weir", root), cwd=tmp_path)
    answers([str(tmp_path / "program")], root, tmp_path)


def test_python(root, tmp_path):
    interpreter, folder = needed("WEIR_PYTHON", "WEIR_PYTHON_DIR")
    answers([interpreter, "-c", PYTHON], root, tmp_path, "42\n%s %s\n" % (version(), version()),
            PYTHONPATH=os.path.join(root, folder))


@pytest.mark.parametrize("parts", [["include", "src", "bindings/python"], ["bindings/python"]],
                         ids=["tree", "installed"])
def test_pip(root, tmp_path, parts):
    """In a copy of the tree the library is compiled into the package; without it, an installed libweir is taken."""
    interpreter = needed("WEIR_PYTHON")
    for module in ("pip", "setuptools", "wheel"):
        if subprocess.run([interpreter, "-c", "import " + module], stderr=subprocess.DEVNULL).returncode:
            pytest.skip("%s has no %s" % (interpreter, module))
    for part in parts:
        shutil.copytree(os.path.join(SOURCE, part), tmp_path / "tree" / part,
                        ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    build([interpreter, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index", "--target",
           str(tmp_path / "site"), str(tmp_path / "tree" / "bindings" / "python")],
          env=environment(root, tmp_path, HOME=str(tmp_path)))
    done = subprocess.run(["ldd", next((tmp_path / "site" / "weir").glob("core.*.so"))], capture_output=True, text=True,
                          env=environment(root, tmp_path))
    assert ("libweir.so" in done.stdout) == (len(parts) == 1)
    answers([interpreter, "-c", PYTHON], root, tmp_path, "42\n%s %s\n" % (version(), version()),
            PYTHONPATH=str(tmp_path / "site"))


def php_answers(php, extension, root, tmp_path):
    answers([php, "-n", "-d", "extension=" + extension, "-r", PHP], root, tmp_path, "42 %s\n" % version())


def test_php(root, tmp_path):
    php = needed("WEIR_PHP")
    stage = root[:-len(cached("CMAKE_INSTALL_PREFIX"))]  # the extension may go beside the prefix, where PHP looks
    php_answers(php, find(stage, "weir.so"), root, tmp_path)


def test_phpize(root, tmp_path):
    php, config = needed("WEIR_PHP", "WEIR_PHP_CONFIG")
    phpize = config.replace("php-config", "phpize")
    if not os.path.exists(phpize):
        pytest.skip(phpize + " is not installed")
    folder = tmp_path / "ext"
    shutil.copytree(os.path.join(SOURCE, "bindings", "php", "ext"), folder)
    for words in ([phpize], ["./configure", "--with-php-config=" + config, "--with-weir=" + root], ["make", "-j2"]):
        build(words, cwd=folder)
    php_answers(php, str(folder / "modules" / "weir.so"), root, tmp_path)


def test_where_the_python_package_goes():
    """Below a prefix in which the interpreter looks, there; below another, the usual place."""
    spec = importlib.util.spec_from_file_location("folder", os.path.join(SOURCE, "bindings", "python", "folder.py"))
    folder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(folder)
    assert folder.below("/usr", "/usr/lib/python3/dist-packages") == "lib/python3/dist-packages"
    assert folder.below("/usr", "/usr/local/lib/python3.11/dist-packages") is None
    assert folder.below("/usr/local", "/usr/local/lib/python3.11/dist-packages") == "lib/python3.11/dist-packages"
    assert folder.below("/opt/weir", "/usr/lib/python3/dist-packages") is None
