"""Print where a package for this interpreter goes, below a prefix: folder.py PREFIX. A folder that the interpreter looks in
by itself, if there is one below the prefix."""

import os
import site
import sys
import sysconfig


def below(prefix, folder):
    """The folder relative to the prefix; None outside of it, or where /usr would reach into /usr/local."""
    relative = os.path.relpath(folder, prefix)
    return None if relative.split(os.sep)[0] in ("..", "local") else relative


def main(prefix):
    found = [below(prefix, folder) for folder in site.getsitepackages()]
    usual = sysconfig.get_path("platlib", "posix_prefix", {"platbase": "/", "base": "/"}).lstrip("/")
    print(next(filter(None, found), usual))


if __name__ == "__main__":
    main(sys.argv[1])
