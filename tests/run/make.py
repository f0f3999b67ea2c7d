#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two makes at once in one tree: the second waits until the first is done, and
finds everything built. And which kernel "make run" starts."""

import sys
sys.dont_write_bytecode = True
import fcntl
import os
import shutil
import subprocess

from harness import ROOT, expect, same, scratch, tail, test_one

TARGET = "build/rom/stub.rom"


def waiting(make):
    """Read until it says that it waits; all that it said, if it does not."""
    said = ""
    for line in make.stdout:
        if line.startswith("make: waiting for another make in "):
            return
        said += line
    expect(False, "it did not wait: " + tail(said))


def two_makes():
    with scratch() as directory:
        tree = os.path.join(directory, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(
            "build", ".git", "corpus"))
        # A third make, as far as these two can tell.
        lock = os.open(tree, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        makes = [subprocess.Popen(["make", "-C", tree, TARGET],
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
                 for _ in range(2)]
        try:
            for make in makes:
                waiting(make)
            expect(not os.path.exists(os.path.join(tree, "build")),
                   "it builds while it waits")
        finally:
            os.close(lock)
            outputs = [make.communicate()[0] for make in makes]
        for make, output in zip(makes, outputs):
            expect(make.returncode == 0, tail(output))
        # "  CC      build/..."
        steps = [line for output in outputs for line in output.splitlines()
                 if line.startswith("  ")]
        expect(os.path.exists(os.path.join(tree, TARGET)), "nothing is built")
        same("the steps that both made",
             sorted(step for step in steps if steps.count(step) > 1), [])


def runs(*words):
    """What make gives to vmi-run, in a tree where all is built."""
    with scratch() as tree:
        shutil.copy(os.path.join(ROOT, "Makefile"), tree)
        path = os.path.join(tree, "vmi-run")
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho \"$@\"\n")
        os.chmod(path, 0o755)
        make = subprocess.run(["make", "-s", "-C", tree, "-o", "locked",
                               "run", *words], capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"]}, check=False)
        expect(make.returncode == 0, tail(make.stderr))
        return make.stdout.strip()


def which_kernel():
    same("make run", runs(), "")
    same("make run ARCH=amd64", runs("ARCH=amd64"),
         "--kernel build/linux-amd64/bzImage")


test_one("two makes in one tree", two_makes)
test_one("the kernel of make run", which_kernel)
