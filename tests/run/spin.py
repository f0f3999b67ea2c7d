#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The protocol between the vCPUs of a guest, as tests/spin/vcpus.pml has it: Spin
finds nothing wrong with it in any order of its steps, and finds what is wrong with
each way of doing one thing wrong."""

import sys
sys.dont_write_bytecode = True
import os
import re
import shutil
import subprocess

from harness import ROOT, expect, same, scratch, tail, test_all

MODEL = os.path.join(ROOT, "tests/spin/vcpus.pml")
MEGABYTES = 900         # two run at once
DEPTH = 100000

REUSE = "assertion violated  !(reused[v])"
COHERENCE = "assertion violated (f>=needs[v])"
DEADLOCK = "invalid end state"

# What is wrong, in which program, and what Spin says then.
WRONG = (
    ("INSIDE_LATE", "", REUSE),
    ("INSIDE_LONG", "", DEADLOCK),
    ("CHECK_EARLY", "", REUSE),
    ("CHECK_LATE", "", REUSE),
    ("NO_WAIT", "", REUSE),
    ("NO_KICK", "", DEADLOCK),
    ("NO_OWN_FLUSH", "", REUSE),
    ("NO_QUARANTINE", "", REUSE),
    ("NO_LOOK", "", COHERENCE),
    ("LOOK_BEHIND", "", COHERENCE),
    ("REMOTE_MARK", "REMOTE", COHERENCE),
    ("REMOTE_BLIND", "REMOTE", COHERENCE),
    ("POLL_EARLY", "IPI", DEADLOCK),
    ("HALT_BLIND", "IPI", DEADLOCK),
    ("IDLE_LATE", "IPI", DEADLOCK),
)


def command(directory, *args):
    run = subprocess.run(args, cwd=directory, capture_output=True, text=True,
                         check=False)
    expect(run.returncode == 0 and not run.stderr,
           f"{args[0]} ends with {run.returncode}: "
           + tail(run.stderr + run.stdout))
    return run.stdout


def explore(optimize, *defined):
    """What Spin has found: nothing, or the first thing."""
    with scratch() as directory:
        shutil.copy(MODEL, directory)
        command(directory, "spin", *(f"-D{name}" for name in defined), "-a",
                os.path.basename(MODEL))
        command(directory, "gcc", optimize, "-DSAFETY", "-DCOLLAPSE",
                f"-DMEMLIM={MEGABYTES}", "-DVECTORSZ=512", "-w", "-o", "pan",
                "pan.c")
        said = command(directory, "./pan", f"-m{DEPTH}")
    expect("max search depth too small" not in said, "the search is cut short")
    wrong = re.search(r"^pan:1: (.*) \(at depth", said, re.M)
    if not wrong:
        expect("errors: 0" in said and "Search not completed" not in said,
               tail(said))
    return wrong and wrong[1]


def right(*defined):
    same("what is wrong", explore("-O1", *defined), None)


def wrong(name, program, found):
    same("what is wrong", explore("-O0", "VCPUS=2", "TURNS=4", name,
                                  *([program] if program else [])), found)


def names():
    """The model's list of them is this one."""
    with open(MODEL, encoding="ascii") as f:
        text = f.read()
    same("the list in the model", re.findall(r"^ \*\t([A-Z_]+)\t", text, re.M),
         [name for name, _, _ in WRONG])


def main():
    test_all([
        ("three vCPUs, one changes tables", right, "VCPUS=3", "CHANGES=1",
         "TURNS=1"),
        ("two vCPUs, two changes", right, "VCPUS=2"),
        ("two vCPUs, interrupts to flush", right, "VCPUS=2", "IPI"),
        ("two vCPUs that flush each other", right, "VCPUS=2", "REMOTE"),
        ("the ways to get it wrong", names),
        *((f"it is wrong with {name}", wrong, name, program, found)
          for name, program, found in WRONG)])


main()
