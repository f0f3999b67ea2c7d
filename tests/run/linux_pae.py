#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux with PAE: its smoke program prints under VMI what it prints natively,
and that data cannot be executed; with memory above 4 GB, too, and with
nothing else for programs. Without PAE a kernel leaves that memory alone. On
four processors, natively, it does its smoke and its stress program."""

import sys
sys.dont_write_bytecode = True

from harness import (INITRD, KERNEL_PAE, SMOKE, expect, same, smoke,
                     smoke_on, smoke_vmi, stress, test_all, test_one)

OPTIONS = ("--kernel", KERNEL_PAE, "--initrd", INITRD)
# 800 MB are for the kernel; of the rest, which programs get first, all is
# above 4 GB.
ABOVE_4GB = ("--append", SMOKE + " memmap=exactmap memmap=640K@0"
             " memmap=800M@1M memmap=1G@4G")


def native():
    lines = smoke("--native", *OPTIONS)
    expect("smoke: data cannot be executed" in lines, "data can be executed")
    return lines


def main():
    reference = test_one("smoke with PAE natively", native)
    test_all([("smoke with PAE, 2048 MB", smoke_vmi, reference, True,
               "--memory", "2048", *OPTIONS),
              ("smoke with PAE natively on 4 processors", smoke_on, 4,
               reference, *OPTIONS),
              ("stress with PAE natively on 4 processors", stress, 10,
               "--native", "--cpus", "4", *OPTIONS),
              ("stress with PAE", stress, 5, *OPTIONS),
              ("smoke with PAE, 64 MB, every shadow entry verified",
               smoke_vmi, reference, True, "--verify", "--memory", "64",
               *OPTIONS)])
    # One after the other, for the sake of the machine's memory.
    large = ("--memory", "4096")
    test_one("smoke with PAE natively, 4096 MB", lambda: same(
        "its output", smoke("--native", *large, *OPTIONS), reference))
    test_one("smoke with PAE, 4096 MB", smoke_vmi, reference, True, *large,
             *OPTIONS)
    test_one("smoke with PAE, programs above 4 GB", smoke_vmi,
             reference, True, *large, *OPTIONS, *ABOVE_4GB)
    test_one("smoke without PAE, 4096 MB", smoke_vmi,
             test_one("smoke natively", smoke, "--native"), True, *large)


main()
