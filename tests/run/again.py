#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Guests that are started again and again in one hypervisor: each finds all
the memory that the first one found, and the others do not notice."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import (BUILD, elf, expect, private_vmi_run, read, same, scratch,
                     tail, test_all, vmi_run, write)

ATTACKER = os.path.join(BUILD, "tests/attack.elf")
NEIGHBOUR = os.path.join(BUILD, "tests/neighbour.elf")
STARTS = 100


def run(*each):
    """The run, what its first guest's console says, and the hypervisor's log.
    """
    with scratch() as directory:
        program, folder = private_vmi_run(directory)
        args = []
        for n, keys in enumerate(each):
            path = os.path.join(directory, f"console{n}")
            args += ["--guest", f"console={path},{keys}"]
        ended = vmi_run("--icount", "--kernel", NEIGHBOUR, "--initrd", "",
                        "--memory", "64", *args, program=program)
        return (ended, read(os.path.join(directory, "console0")).decode(),
                read(os.path.join(folder, "hypervisor.log")).decode())


def memory_is_the_same(name, log, starts=STARTS):
    """What was free at each start."""
    free = re.findall(
        rf"^{name}: start \d+ of {starts}, (\d+) KB of memory free$", log, re.M)
    same("the starts", len(free), starts)
    same("memory free at the first and the last start", free[-1], free[0])
    same("and at all others", set(free), {free[0]})


def in_turn():
    ended, console, log = run(f"append=busy=2,starts={STARTS}")
    same("the end", (ended.returncode, tail(ended.stderr)), (0, ""))
    results = re.findall(r"rounds=\d+ checksum=\d+", console)
    same("the results", len(results), STARTS)
    same("different ones", len(set(results)), 1)
    memory_is_the_same("guest", log)


def beside_another():
    """It dies each time, in less memory than the other has."""
    ended, console, log = run("append=busy=1024", "append=dying=2,memory=16,"
                              f"starts={STARTS}")
    same("the status", ended.returncode, 3)
    expect("rounds=" in console, "the other says " + console)
    memory_is_the_same("guest 2", log)


def four_at_once():
    """Its four vCPUs run, on two processors, when one of them does what ends
    it. With others beside it: race_killed_four of tests/attack."""
    with scratch() as directory:
        program, folder = private_vmi_run(directory)
        ended = vmi_run("--host-cpus", "2", "--kernel", ATTACKER, "--initrd",
                        "", "--memory", "64", "--guest", "cpus=4,starts=8,"
                        "append=case=race_killed_four", program=program)
        same("the status", ended.returncode, 3)
        memory_is_the_same("guest", read(os.path.join(
            folder, "hypervisor.log")).decode(), 8)


def with_fpu_off(bit):
    """It ends with this bit of CR0 set: MOV from and to CR0, then the keyboard
    controller's reset."""
    code = b"\x0f\x20\xc0\x0c" + bytes([bit]) + b"\x0f\x22\xc0\xb0\xfe\xe6\x64"
    with scratch() as directory:
        kernel = write(directory, "kernel", elf(code))
        ended = vmi_run("--icount", "--kernel", kernel, "--initrd", "",
                        "--memory", "16", "--guest", "starts=3")
    same("the end", (ended.returncode, tail(ended.stderr)), (0, ""))


test_all([(f"{STARTS} guests in turn", in_turn),
          (f"{STARTS} deaths beside another", beside_another),
          ("eight deaths while four vCPUs run", four_at_once),
          ("ends with CR0.TS", with_fpu_off, 8),
          ("ends with CR0.EM", with_fpu_off, 4)])
