#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux boots, runs its smoke program and switches off: natively, also on four
processors, in VMI mode, without batching, and with five sizes of memory; so
does a kernel for one processor, which knows no APIC. The program's output is
the same everywhere. Then its stress program."""

import sys
sys.dont_write_bytecode = True

from harness import (KERNEL_UP, same, smoke, smoke_on, smoke_vmi, stress,
                     test_all, test_one)


def main():
    reference = test_one("smoke natively", smoke, "--native")
    tests = [("smoke natively with 64 MB", lambda: same(
        "its output", smoke("--native", "--memory", "64"), reference)),
             ("smoke natively on 4 processors", smoke_on, 4, reference)]
    for memory in ("64", "128", "256", "1024", "2048"):
        tests.append((f"smoke with {memory} MB", smoke_vmi, reference, True,
                      "--memory", memory))
    tests.append(("smoke without batching", smoke_vmi, reference, False,
                  "--no-batch"))
    tests.append(("smoke with a kernel for one processor", smoke_vmi,
                  reference, True, "--kernel", KERNEL_UP))
    tests.append(("smoke with every shadow entry verified", smoke_vmi,
                  reference, True, "--verify"))
    tests.append(("stress natively on 4 processors", stress, 20, "--native",
                  "--cpus", "4"))
    tests.append(("stress", stress, 5))
    test_all(tests)


main()
