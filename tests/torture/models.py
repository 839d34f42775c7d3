#!/usr/bin/env python3
"""Verify the Promela models in models/ with spin, and that each of their mutants is found.

    models.py [--deep] [NAME...]

Prints TAP: a case for each model as it is (no error in all its states) and one for each M_ macro in it (an error). --deep allows more kills
and comings, which takes minutes and some GiB.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
MEMORY_MIB = 6000
DEPTH = 2000000
# What is verified: briefly, deeply.
SIZES = {
    "growth.pml": (["KILLS=1", "READERS=1"], ["KILLS=2", "READERS=1"]),
    "lane.pml": (["KILLS=1"], ["KILLS=2"]),
    "members.pml": (["KILLS=1", "OPENS=1", "DIRECTORIES=2"], ["KILLS=2", "OPENS=1", "DIRECTORIES=2"]),
    "wake.pml": (["MESSAGES=1"], ["MESSAGES=2"]),
}


def verify(path, defines, optimise, folder):
    """Return (errors, states, is_cut)."""
    shutil.copy(path, os.path.join(folder, "model.pml"))
    subprocess.run(["spin", *(f"-D{define}" for define in defines), "-a", "model.pml"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    flags = [optimise, "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MIB}"]
    subprocess.run(["cc", *flags, "-o", "pan", "pan.c"], cwd=folder, check=True)
    said = subprocess.run(["./pan", f"-m{DEPTH}"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"(\S+) states, stored", said)
    if not errors or not states:
        raise RuntimeError(said[-300:])
    is_cut = "Search not completed" in said or "max search depth too small" in said or "out of memory" in said
    return int(errors[1]), int(float(states[1])), is_cut


def cases(is_deep):
    for file in sorted(os.listdir(FOLDER)):
        with open(os.path.join(FOLDER, file)) as text:
            macros = sorted(set(re.findall(r"\bM_[A-Z_]+\b", text.read())) - {"M_"})
        for macro in [None, *macros]:
            yield file, macro, SIZES[file][is_deep]


def try_case(case):
    """Return (holds, what was seen)."""
    file, macro, defines = case
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            errors, states, is_cut = verify(os.path.join(FOLDER, file), defines + ([macro] if macro else []),
                                            "-O1" if macro else "-O2", folder)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            return False, f"{file} {macro or ''}: {error}"
    took = f"{states} states, {' '.join(defines)}, {time.monotonic() - begin:.0f} s"
    if macro:  # it stops at its first error, so its search is never completed
        return errors > 0, f"{file}: mutant {macro}: {errors} error, {took}"
    return errors == 0 and not is_cut, f"{file}: {errors} errors{', search cut short' if is_cut else ', search complete'}, {took}"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--deep"]
    wanted = [case for case in cases("--deep" in sys.argv) if not arguments or any(name in case[0] for name in arguments)]
    if not shutil.which("spin"):
        print("1..1\nok 1 - models # SKIP spin is not installed (tools/setup test)")
        return 0
    print(f"1..{len(wanted)}", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number, (holds, seen) in enumerate(pool.map(try_case, wanted), 1):
            failed += not holds
            print(f"{'ok' if holds else 'not ok'} {number} - {seen}", flush=True)
    return 1 if failed else 0


sys.exit(main())
