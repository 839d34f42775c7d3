"""Build the extension module. In the source tree the C library is compiled into it, so the package needs nothing else;
elsewhere it is linked with an installed libweir, found with pkg-config. The version is what include/weir/base.h says.
"""

import pathlib
import platform
import re
import subprocess

from setuptools import Extension, setup

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDERS = ("base", "os", "value", "codec", "frame", "transport", "channel")


def version():
    text = (HERE / "weir" / "constants.py").read_text()
    return re.search(r'^VERSION = "(.*)"$', text, re.M)[1]


def library_sources():
    """The .c files of the library; tests stand beside them and are left out."""
    found = [path for folder in FOLDERS for path in (ROOT / "src" / folder).rglob("*.c")]
    return sorted(str(path) for path in found if not path.name.endswith("_test.c"))


def pkg_config(*options):
    return subprocess.run(["pkg-config", *options, "weir"], check=True, capture_output=True, text=True).stdout.split()


def extension():
    sources = sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.c"))
    flags = ["-std=gnu11", "-O2", "-fvisibility=hidden", "-D_GNU_SOURCE"]
    if not (ROOT / "src" / "channel").is_dir():
        return Extension("weir.core", sources, extra_compile_args=flags + pkg_config("--cflags"),
                         extra_link_args=pkg_config("--libs"))
    if platform.machine() in ("x86_64", "AMD64"):
        flags.append("-march=x86-64-v2")
    return Extension("weir.core", sources + library_sources(), include_dirs=[str(ROOT / "include"), str(ROOT / "src")],
                     extra_compile_args=flags, libraries=["m"])


setup(version=version(), ext_modules=[extension()])
