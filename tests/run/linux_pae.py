#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux with PAE: its smoke program prints under VMI what it prints natively,
and that data cannot be executed."""

import sys
sys.dont_write_bytecode = True

from harness import (INITRD, KERNEL_PAE, expect, smoke, smoke_vmi, test_all,
                     test_one)

OPTIONS = ("--kernel", KERNEL_PAE, "--initrd", INITRD)


def native():
    lines = smoke("--native", *OPTIONS)
    expect("smoke: data cannot be executed" in lines, "data can be executed")
    return lines


def main():
    reference = test_one("smoke with PAE natively", native)
    test_all([("smoke with PAE, 2048 MB", smoke_vmi, reference, True,
               "--memory", "2048", *OPTIONS),
              ("smoke with PAE, 64 MB, every shadow entry verified",
               smoke_vmi, reference, True, "--verify", "--memory", "64",
               *OPTIONS)])


main()
