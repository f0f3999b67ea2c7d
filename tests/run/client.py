#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The old client of tests/client on every ROM, without and with PAE: it does
what Linux 2.6.21 to 2.6.36 did, call by call, and all of it works."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import BUILD, expect, same, scratch, tail, test_all, vmi_run

CLIENT = os.path.join(BUILD, "tests/client.elf")
ROMS = {
    "stub": [],
    "stub, no batches": ["--no-batch"],
    "stub, verified": ["--verify"],
    "trace": ["--rom", os.path.join(BUILD, "rom/trace.rom")],
    "native": ["--native", "--rom", os.path.join(BUILD, "rom/native.rom")],
    "count": ["--native", "--rom", os.path.join(BUILD, "rom/count.rom")],
}

# Its first calls but for those of the interrupt flag; a series of one is one.
START = """
SetLinearMapping CPUID GetCR4 SetCR4 GetCR4 SetCR4 SetPxE FlushTLB SetPxE
AllocatePage SetCR3 FlushTLB SetPxE InvalPage SetPxE InvalPage SetPxE InvalPage
SetPxE InvalPage WriteIDTEntry SetIDT SetGDT UpdateKernelStack WriteGDTEntry
SetTR WriteGDTEntry SetLDT SetDR CLTS GetCR0 SetCR0 SetPxE InvalPage GetCR2 IRET
SetPxE InvalPage
""".split()
FLAG = ("EnableInterrupts", "DisableInterrupts", "GetInterruptMask",
        "SetInterruptMask")


def run(mode, *options):
    got = vmi_run("--icount", "--memory", "64", "--kernel", CLIENT,
                  "--append", mode, *options)
    same("the status", (got.returncode, tail(got.stderr)), (0, ""))
    bad = re.findall(r"^not ok .*|^Bail out.*", got.stdout, re.M)
    expect(not bad, " | ".join(bad[:3]))
    points = re.findall(r"^ok ", got.stdout, re.M)
    expect(f"\n1..{len(points)}\n" in got.stdout, "it did not come to its "
           "end: " + tail(got.stdout))
    expect(len(points) > 36, f"{len(points)} points are too few")


def order(directory, mode, suffix):
    path = os.path.join(directory, "trace" + suffix)
    run(mode, "--trace", path)
    calls = []
    with open(path, encoding="ascii") as f:
        for line in f:
            name = line.split()[2].removesuffix("Long")
            if name not in FLAG and calls[-1:] != [name]:
                calls.append(name)
    same("the order of its calls", calls[:len(START)], START)


def cases(directory):
    for suffix, mode in ("", "x"), (" with PAE", "mode=pae"):
        for name, options in ROMS.items():
            yield f"on {name}{suffix}", run, mode, *options
        yield f"the order of its calls{suffix}", order, directory, mode, suffix


with scratch() as d:
    test_all(list(cases(d)))
