"""Each public header alone, in every language it promises; every exported symbol is a declared one, and the other way round."""
import os
import re
import subprocess

import pytest

SOURCE = os.environ["WEIR_SOURCE"]
LIBRARY = os.path.join(os.environ["WEIR_BUILD"], "lib", "libweir.so")
FOLDER = os.path.join(SOURCE, "include", "weir")
HEADERS = sorted(os.listdir(FOLDER))
LANGUAGES = {
    "c99": ["cc", "-x", "c", "-std=c99"],
    "c11": ["cc", "-x", "c", "-std=c11"],
    "c++17": ["c++", "-x", "c++", "-std=c++17"],
}


def declared():
    """Functions marked WEIR_API in the headers, comments left out."""
    names = []
    for header in HEADERS:
        with open(os.path.join(FOLDER, header)) as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        names += re.findall(r"^WEIR_API\b[^;(]*?\b(weir_\w+)\(", text, re.M)
    return sorted(names)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("header", HEADERS)
def test_header_compiles_alone(header, language, tmp_path):
    source = tmp_path / "alone.c"
    source.write_text("#include <weir/%s>\n#include <weir/%s>\n" % (header, header))
    command = LANGUAGES[language] + ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    done = subprocess.run(command + ["-I", os.path.join(SOURCE, "include"), str(source)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr


def test_library_exports_what_is_declared_and_nothing_else():
    done = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True)
    exported = sorted({line.split()[2].split("@")[0] for line in done.stdout.splitlines() if line.split()[1] != "A"})
    assert len(declared()) > 90
    assert exported == declared()


def test_every_symbol_links(tmp_path):
    source = tmp_path / "link.c"
    program = tmp_path / "link"
    lines = ["#include <weir/weir.h>", "#include <stdio.h>", "typedef void function(void);", "int main(void) {",
             "    function *const all[] = {"]
    lines += ["        (function *)%s," % name for name in declared()]
    lines += ["    };", "    unsigned present = 0;", "    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)",
              "        present += all[i] != 0;", '    printf("%u\\n", present);', "    return 0;", "}"]
    source.write_text("\n".join(lines) + "\n")
    folder = os.path.dirname(LIBRARY)
    subprocess.run(["cc", "-std=c11", "-Wno-cast-function-type", "-Wno-address", "-I", os.path.join(SOURCE, "include"),
                    str(source), "-L", folder, "-lweir", "-Wl,-rpath," + folder, "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(declared())


def test_soname_is_what_programs_go_on_with():
    """The major version; before 1.0 with the minor one, as find_package asks."""
    done = subprocess.run(["objdump", "-p", LIBRARY], capture_output=True, text=True, check=True)
    with open(os.path.join(FOLDER, "base.h")) as file:
        major, minor = re.findall(r"WEIR_VERSION_(?:MAJOR|MINOR) (\d+)", file.read())
    version = major if major != "0" else "0." + minor
    assert re.search(r"SONAME\s+libweir\.so\.%s$" % re.escape(version), done.stdout, re.M)
