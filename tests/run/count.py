#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The count backend, on a machine without hypervisor: each call counts once,
in memory that its BIOS entry has asked for; Linux makes nearly all its calls
there, with the output of a machine without a ROM, and shows the counters in
/sys/hypervisor. What its calls do is in tests/run/conformance."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import BUILD, expect, same, smoke, tail, test_all, vmi_run

COUNT_ROM = os.path.join(BUILD, "rom/count.rom")
GUEST = os.path.join(BUILD, "tests/count.elf")
SHOW = ('console=ttyS0 panic=-1 quiet rdinit=/bin/sh -- -c '
        '"mount -t sysfs sys /sys; cd /sys/hypervisor/counters; grep . *;'
        ' grep . *; reboot -f"')
# At ring 0 Linux keeps its IRET, which is right there (VMI-2.5.11).
MANY = ("AllocatePage", "DisableInterrupt", "EnableInterrupts",
        "GetInterruptMask", "SetPxE", "SetLazyMode", "WriteIDTEntry")
NEVER = ("IRET", "SYSEXIT", "SetPxELong")


def exact():
    run = vmi_run("--native", "--rom", COUNT_ROM, "--memory", "64", "--kernel",
                  GUEST)
    same("the status", (run.returncode, run.stderr), (0, ""))
    bad = re.findall(r"^not ok .*|^Bail out.*", run.stdout, re.M)
    expect(not bad, " | ".join(bad[:3]))
    points = re.findall(r"^ok ", run.stdout, re.M)
    expect(f"\n1..{len(points)}\n" in run.stdout, "it did not come to its "
           "end: " + tail(run.stdout))


def same_as_native():
    same("its output", smoke("--native", "--rom", COUNT_ROM),
         smoke("--native"))


def sysfs():
    run = vmi_run("--native", "--rom", COUNT_ROM, "--append", SHOW)
    same("the status", run.returncode, 0)
    found = re.findall(r"^(\w+):(\d+)\r?$", run.stdout, re.M)
    first, second = ({name: int(value) for name, value in half} for half in
                     (found[:len(found) // 2], found[len(found) // 2:]))
    expect(first, "no counters: " + tail(run.stdout))
    same("the names of the counters", second.keys(), first.keys())
    for name in MANY:
        expect(first[name] > 20, f"{first[name]} calls of {name}")
    for name in NEVER:
        same(f"the calls of {name}", second[name], 0)
    less = [name for name in first if second[name] < first[name]]
    expect(not less, f"{less} went back")
    expect(second["DisableInterrupt"] > first["DisableInterrupt"],
           "the counters stand still")


test_all([
    ("each call counts once", exact),
    ("smoke on count.rom as without a ROM", same_as_native),
    ("the counters in /sys/hypervisor", sysfs),
])
