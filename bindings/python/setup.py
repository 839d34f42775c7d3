"""Build the extension module. In the source tree the C library is compiled into it, so the package needs nothing else;
elsewhere it is linked with an installed libweir, found with pkg-config. The version is what include/weir/base.h says.
"""

import pathlib
import platform
import re
import subprocess

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
IS_TREE = (ROOT / "src" / "channel").is_dir()


def version():
    text = (HERE / "weir" / "constants.py").read_text()
    return re.search(r'^VERSION = "(.*)"$', text, re.M)[1]


def library_sources():
    """The files of the library, as the CMakeLists.txt of each folder names them in weir_sources(...)."""
    found = []
    for listing in sorted((ROOT / "src").rglob("CMakeLists.txt")):
        for names in re.findall(r"^weir_sources\(([^)]*)\)", listing.read_text(), re.M):
            found += [str(listing.parent / name) for name in names.split()]
    return found


def pkg_config(*options):
    return subprocess.run(["pkg-config", *options, "weir"], check=True, capture_output=True, text=True).stdout.split()


class BuildWithLibrary(build_ext):
    """Sources outside of the package's folder are none that setuptools takes: the library's are compiled here."""

    def finalize_options(self):
        super().finalize_options()
        self.force = True  # nothing here knows which headers a file depends on

    def build_extension(self, extension):
        if IS_TREE:
            extension.extra_objects = self.compiler.compile(
                library_sources(), output_dir=self.build_temp, include_dirs=extension.include_dirs,
                extra_postargs=extension.extra_compile_args)
        super().build_extension(extension)


def extension():
    sources = sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.c"))
    flags = ["-std=gnu11", "-O2", "-fvisibility=hidden", "-D_GNU_SOURCE"]
    if not IS_TREE:
        return Extension("weir.core", sources, extra_compile_args=flags + pkg_config("--cflags"),
                         extra_link_args=pkg_config("--libs"))
    if platform.machine() in ("x86_64", "AMD64"):
        flags.append("-march=x86-64-v2")
    return Extension("weir.core", sources, include_dirs=[str(ROOT / "include"), str(ROOT / "src")],
                     extra_compile_args=flags, libraries=["m"])


setup(version=version(), license="MIT", ext_modules=[extension()], cmdclass={"build_ext": BuildWithLibrary})
