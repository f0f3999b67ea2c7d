#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of the hypervisor unit tests and fuzzing reach.

usage: tests/fuzz/coverage.py --unit PROGRAM... --fuzz PROGRAM... --files FILE...

Runs unit tests, and fuzz targets with their seeds, what make fuzz has found
(build/fuzz/corpus) and a bounded number of runs more. Prints a table of FILEs;
build/coverage/lines.txt shows the lines. Status 1 if less than 90 % of all
lines were reached.
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

OUT = "build/coverage"
SEEDS = "tests/fuzz/corpus"
FOUND = "build/fuzz/corpus"
RUNS = 20000
GOAL = 90


def run(program, arguments, profile):
    env = dict(os.environ, LLVM_PROFILE_FILE=profile,
               CMOCKA_MESSAGE_OUTPUT="TAP")
    p = subprocess.run([program, *arguments], env=env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if p.returncode:
        sys.exit(p.stdout.decode(errors="replace")
                 + f"{program} failed, see above")


def fuzz(program, profile):
    name = os.path.basename(program)
    corpus = f"{OUT}/corpus/{name}"
    os.makedirs(corpus)
    more = [d for d in (f"{SEEDS}/{name}", f"{FOUND}/{name}")
            if os.path.isdir(d)]
    # First all that there is, then a bounded search from it.
    run(program, ["-runs=0", corpus, *more], profile + "-seeds.profraw")
    run(program, [f"-runs={RUNS}", "-seed=1", "-max_len=512", corpus, *more],
        profile + ".profraw")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unit", nargs="+", default=[])
    parser.add_argument("--fuzz", nargs="+", default=[])
    parser.add_argument("--files", nargs="+", required=True)
    args = parser.parse_args()

    shutil.rmtree(f"{OUT}/raw", ignore_errors=True)
    shutil.rmtree(f"{OUT}/corpus", ignore_errors=True)
    for program in args.unit:
        run(program, [], f"{OUT}/raw/unit-{os.path.basename(program)}.profraw")
    for program in args.fuzz:
        print(f"  RUN     {program}", flush=True)
        fuzz(program, f"{OUT}/raw/fuzz-{os.path.basename(program)}")

    merged = f"{OUT}/all.profdata"
    subprocess.check_call(["llvm-profdata", "merge", "-o", merged,
                           *glob.glob(f"{OUT}/raw/*.profraw")])
    programs = args.unit + args.fuzz
    objects = [programs[0], *(f"-object={p}" for p in programs[1:])]
    common = [f"-instr-profile={merged}", *objects,
              *(os.path.abspath(f) for f in args.files)]
    data = json.loads(subprocess.check_output(
        ["llvm-cov", "export", "-summary-only", *common]))["data"][0]
    with open(f"{OUT}/lines.txt", "w") as lines:
        subprocess.check_call(["llvm-cov", "show", *common], stdout=lines)

    reached = {os.path.relpath(f["filename"]): f["summary"]["lines"]
               for f in data["files"]}
    total = [0, 0]
    print(f"\n{'file':32} {'lines':>6} {'reached':>8} {'%':>6}")
    for name in args.files:
        count, covered = (reached[name][k] for k in ("count", "covered")) \
            if name in reached else (0, 0)
        if not count:
            print(f"{name:32} in no test")
            total[0] += open(name).read().count("\n")
            continue
        total[0] += count
        total[1] += covered
        print(f"{name:32} {count:6} {covered:8} {100 * covered / count:6.1f}")
    percent = 100 * total[1] / total[0]
    print(f"{'total':32} {total[0]:6} {total[1]:8} {percent:6.1f}")
    print(f"lines: {OUT}/lines.txt")
    return percent < GOAL


if __name__ == "__main__":
    sys.exit(main())
