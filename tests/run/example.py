#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The example guest of spec/writing-a-guest.md: it is built by the commands that
stand there, prints what stands there, on any ROM and on none, and what the
document quotes of it is what it is."""

import sys
sys.dont_write_bytecode = True
import os
import re
import subprocess

from harness import (BUILD, ROOT, expect, read, same, scratch, tail, test_all,
                     test_one, vmi_run)

DOCUMENT = os.path.join(ROOT, "spec/writing-a-guest.md")
FILES = ("spec/example/start.asm", "spec/example/main.c")
KERNEL = os.path.join(BUILD, "example.elf")
RING_1, RING_0, NONE = ("VMI mode, below ring 0", "VMI mode, ring 0",
                        "no VMI mode, ring 0")
CALLS = {"DisableInterrupts", "Halt", "SetPxE", "InvalPage", "IRET",
         "Shutdown"}


def blocks(kind):
    """The text of the document's fenced blocks of that kind."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$",
                       read(DOCUMENT).decode("ascii"), re.M | re.S)
    expect(found, f"the document has no block {kind!r}")
    return found


def build():
    sh = subprocess.run(["sh", "-e"], input="".join(blocks("sh")), cwd=ROOT,
                        capture_output=True, text=True, check=False)
    same("what the commands say", (sh.returncode, sh.stdout, sh.stderr),
         (0, "", ""))
    return True


def quotes():
    text = "".join(read(os.path.join(ROOT, file)).decode("ascii")
                   for file in FILES)
    for block in blocks("c"):
        expect(block in text, "no such lines in the example: "
               + tail(block))


def run(first, *options):
    got = vmi_run("--memory", "64", "--kernel", KERNEL, *options)
    console, = blocks("console")
    same("the first line of the document", console.splitlines()[0], RING_1)
    same("its output", (got.returncode, got.stderr, got.stdout),
         (0, "", console.replace(RING_1, first)))


def traced(directory):
    path = os.path.join(directory, "trace")
    run(RING_1, "--trace", path)
    same("its calls", {line.split()[2] for line in
                       read(path).decode("ascii").splitlines()}, CALLS)


def rom(name):
    return "--rom", os.path.join(BUILD, f"rom/{name}.rom")


def main():
    built = test_one("the document's commands build the example", build)
    tests = [("what the document quotes", quotes)]
    with scratch() as directory:
        if built:
            tests += [
                ("the example under the hypervisor", run, RING_1),
                ("on the ROM of 0.1", run, RING_1, "--rom",
                 os.path.join(ROOT, "tests/data/stub-0.1.rom")),
                ("without a ROM", run, NONE, "--native"),
                ("its calls", traced, directory),
            ] + [(f"on {name}", run, RING_0, "--native", *rom(name))
                 for name in ("native", "template", "count")]
        test_all(tests)


main()
