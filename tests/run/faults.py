#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A machine that is too small for the guests asked for: one clear line of the
hypervisor's, before any guest runs. vmi-run gives the machine what they need,
so here QEMU is started by hand, as a boot loader would."""

import sys
sys.dont_write_bytecode = True
import os
import subprocess

from harness import BUILD, HANG, expect, same, scratch, test_all

HYPERVISOR = os.path.join(BUILD, "hypervisor-stub.elf")
GUEST = os.path.join(BUILD, "tests/attack.elf")
ROM = os.path.join(BUILD, "rom/stub.rom")
BAD_INPUT = 7       # what isa-debug-exit makes of it


def machine(megabytes, *memories):
    """Guests of so much memory each: status, log, what the guests said."""
    modules = [f"{GUEST} role=kernel memory={memory} name=guest -- case=alarm"
               for memory in memories]
    modules.insert(1, f"{ROM} role=rom name=rom")
    with scratch() as directory:
        log = os.path.join(directory, "log")
        run = subprocess.run(
            ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu",
             "qemu64,+umip", "-nodefaults", "-display", "none", "-no-reboot",
             "-m", str(megabytes), "-kernel", HYPERVISOR,
             "-initrd", ",".join(modules), "-serial", "stdio",
             "-debugcon", "file:" + log,
             "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=float(HANG), check=False)
        with open(log, encoding="ascii") as f:
            return run.returncode, f.read(), run.stdout


def refused(who, megabytes, *memories):
    status, log, said = machine(megabytes, *memories)
    same("the status", status, BAD_INPUT)
    same("what the guests said", said, "")
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    same("the errors", len(errors), 1)
    expect(errors[0].startswith(f"error: {who}: memory={memories[-1]}: the "
                                "machine has not that much"),
           f"it says {errors[0]!r}")


def enough(megabytes, *memories):
    status, _, said = machine(megabytes, *memories)
    same("the status", status, 1)
    expect(said, "no guest said anything")


test_all([
    ("one guest, a machine too small", refused, "guest", 128, 128),
    ("the second of two guests is too much", refused, "guest 2", 128, 64, 64),
    ("the third of three, a large one", refused, "guest 3", 256, 64, 64, 2048),
    ("memory for both", enough, 192, 64, 64),
])
