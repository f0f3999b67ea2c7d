#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The hostile user of tests/hostile in Bochs, which checks segment limits, null
selectors and alignment as a processor does: from the CD, natively and under the
hypervisor. Each attack gets the same; see hostile.py."""

import sys
sys.dont_write_bytecode = True

from harness import expect, scratch, test_all, test_one
from hostile import compare, results
from iso import PROMPT, QUIET, Machine, bochs


def attacks(key):
    with scratch() as directory:
        machine = Machine(bochs, directory)
        try:
            machine.until("GNU GRUB")
            machine.type(key)
            machine.until(PROMPT)
            machine.type(QUIET + "/bin/hostile; echo status $?\n")
            found = machine.until("\nstatus ")
        finally:
            machine.end()
    return results(found)


def both():
    native, ours = test_all([("hostile user natively in Bochs", attacks, "n"),
                             ("hostile user in Bochs", attacks, "h")])
    expect(native and ours, "there is nothing to compare")
    compare(native, ours, "Bochs")


if __name__ == "__main__":
    test_one("hostile user in Bochs as natively", both)
