"""What the tests of an installed tree share: where things are in it, and running a program with its library."""
import os
import re
import subprocess

SOURCE = os.environ["WEIR_SOURCE"]
BUILD = os.environ["WEIR_BUILD"]


def cached(name):
    """A variable of the build that is being tested; None when it has none of that name, or found nothing."""
    with open(os.path.join(BUILD, "CMakeCache.txt")) as file:
        found = re.search(r"^%s:\w+=(.*)$" % name, file.read(), re.M)
    return found.group(1) if found and not found.group(1).endswith("-NOTFOUND") else None


def find(root, name):
    found = [os.path.join(folder, name) for folder, _, files in os.walk(root) if name in files]
    assert len(found) == 1, "%s is installed %d times below %s" % (name, len(found), root)
    return found[0]


def version():
    with open(os.path.join(SOURCE, "include", "weir", "base.h")) as file:
        return ".".join(re.findall(r"#define WEIR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read()))


def environment(root, store, **more):
    """For programs that use the installed tree, which lies below a staging folder."""
    return {**os.environ, "LD_LIBRARY_PATH": os.path.dirname(find(root, "libweir.so")), "WEIR_SHM_DIR": str(store),
            "PKG_CONFIG_PATH": os.path.dirname(find(root, "weir.pc")), **more}


def run(command, root, tmp_path, **more):
    return subprocess.run(command, capture_output=True, text=True, env=environment(root, tmp_path, **more))


def build(words, **options):
    """Run a step of a build, and show what it said when it fails."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, "%s\n%s" % (" ".join(words), done.stdout[-4000:])
    return done.stdout


def flags(package, root):
    """What pkg-config says about a package of the installed tree."""
    return build(["pkg-config", "--cflags", "--libs", package],
                 env={**os.environ, "PKG_CONFIG_PATH": os.path.dirname(find(root, "weir.pc"))}).split()


def with_cmake(tmp_path, root, language, source, target):
    """Build one source file with find_package; the program's path."""
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(program %s)\nfind_package(weir 0.1 REQUIRED)\n"
        "add_executable(program %s)\ntarget_link_libraries(program PRIVATE %s)\n" % (language, source, target))
    folder = str(tmp_path / "build")
    build(["cmake", "-S", str(tmp_path), "-B", folder, "-DCMAKE_PREFIX_PATH=" + root])
    build(["cmake", "--build", folder])
    return os.path.join(folder, "program")
