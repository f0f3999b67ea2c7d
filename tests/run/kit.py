#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The backend kit: a copy of the template, changed as sections 1 and 2 of
spec/writing-a-backend.md say, is built in a copy of the tree, does what the
native backend does in every point of the conformance suite and runs Linux.
The trace backend does the same as the stub's, which it wraps."""

import sys
sys.dont_write_bytecode = True
import os
import re
import shutil
import subprocess

from harness import (BUILD, ROOT, expect, same, scratch, smoke, tail, test_all,
                     test_one, vmi_run)

GUIDE = os.path.join(ROOT, "spec/writing-a-backend.md")
SUITE = os.path.join(BUILD, "conformance.elf")
POINT = re.compile(r"^((?:not )?ok) \d+ - (.*?)( # SKIP .*)?$", re.M)


def built_rom(name):
    return os.path.join(BUILD, f"rom/{name}.rom")


def blocks(kind):
    """The text of the guide's fenced blocks of that kind."""
    with open(GUIDE, encoding="ascii") as f:
        found = re.findall(rf"^```{kind}\n(.*?)^```$", f.read(), re.M | re.S)
    expect(found, f"the guide has no block {kind!r}")
    return "".join(found)


def edit(path, change):
    with open(path, encoding="ascii") as f:
        text = change(f.read())
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def answer(text):
    for line in blocks("answers").splitlines():
        call = line.split(",")[0]
        text, count = re.subn(rf"^{call},.*$", line, text, flags=re.M)
        same(f"the number of lines {call!r}", count, 1)
    return text.replace('"template"', '"mine"')


def build(directory):
    """The guide's backend, as an image."""
    tree = os.path.join(directory, "tree")
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", ".git"))
    mine = os.path.join(tree, "rom/backends/mine")
    shutil.copytree(os.path.join(tree, "rom/backends/template"), mine)
    edit(os.path.join(mine, "answers.inc"), answer)
    edit(os.path.join(mine, "hot.asm"),
         lambda text: text + "\n" + blocks("nasm"))
    edit(os.path.join(mine, "calls.c"), lambda text: text + "\n" + blocks("c"))
    make = subprocess.run(["make", "-C", tree, "build/rom/mine.rom"],
                          capture_output=True, text=True, check=False)
    expect(make.returncode == 0, tail(make.stderr))
    return os.path.join(tree, "build/rom/mine.rom")


def too_long(rom):
    """An ENTRY beyond its slot, in the tree that the image is from."""
    tree = rom.removesuffix("/build/rom/mine.rom")
    edit(os.path.join(tree, "rom/backends/mine/hot.asm"),
         lambda text: text.replace("ENTRY SetInterruptMask",
                                   "ENTRY SetInterruptMask\n\ttimes 64 nop",
                                   1))
    make = subprocess.run(["make", "-C", tree, "build/rom/mine.rom"],
                          capture_output=True, text=True, check=False)
    same("the message", [line for line in make.stderr.splitlines()
                         if not re.match(r"make(\[\d+\])?: ", line)],
         ["vmi-rom: build/rom/mine.elf: the ENTRY of SetInterruptMask has "
          "more than the 64 bytes of its slot: put the rest behind "
          "END_ENTRY"])


def points(*options):
    """The result of each point of the suite, and how many were skipped."""
    run = vmi_run("--icount", "--memory", "64", "--kernel", SUITE,
                  *options)
    found = POINT.findall(run.stdout)
    expect(f"\n1..{len(found)}\n" in run.stdout,
           "the suite did not come to its end: " + tail(run.stdout))
    return ({name: result for result, name, skip in found if not skip},
            sum(bool(skip) for _, _, skip in found))


def as_good(rom, reference, fewer, *options):
    """Every point that the reference passes, it passes. fewer: points that
    the reference skips are points here."""
    theirs, theirs_skipped = points("--rom", reference, *options)
    ours, skipped = points("--rom", rom, *options)
    worse = [name for name, result in theirs.items()
             if result == "ok" and ours.get(name) != "ok"]
    expect(not worse, " | ".join(worse[:3]))
    worse = [name for name, result in ours.items()
             if result != "ok" and name not in theirs]
    expect(not worse, " | ".join(worse[:3]))
    expect(not fewer or skipped < theirs_skipped,
           f"{skipped} points are skipped, {theirs_skipped} were")


def linux(rom):
    lines = smoke("--native", "--rom", rom)
    expect(lines, "no output")


def main():
    with scratch() as directory:
        mine = test_one("the guide's backend is built", build, directory)
        tests = [("conformance of the template as native", as_good,
                  built_rom("template"), built_rom("native"), False,
                  "--native"),
                 ("conformance of trace as the stub", as_good,
                  built_rom("trace"), built_rom("stub"), False)]
        if mine:
            tests += [("conformance of the guide's backend", as_good, mine,
                       built_rom("native"), True, "--native"),
                      ("smoke on the guide's backend", linux, mine)]
        test_all(tests)
        if mine:
            test_one("an ENTRY that is too long is named", too_long, mine)


main()
