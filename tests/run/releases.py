#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Guest and ROM of different releases work together (VMI-4.1): today's kernel
on the ROMs that were released, kept in tests/data, and guests that were
released on today's ROM. tests/data/guest-N.elf is tests/guest, stripped."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import (BUILD, ROM, ROOT, expect, read, same, scratch, smoke, tail,
                     test_all, test_one, vmi_run, write)

DATA = os.path.join(ROOT, "tests/data")
RELEASES = ("0.1",)
SUITE = os.path.join(BUILD, "conformance.elf")
LAYOUT_AT = 0x24        # stub_rom_info.layout
CHECKSUM_AT = 7


def rom(release):
    return os.path.join(DATA, f"stub-{release}.rom")


def kernel_on(release, reference):
    expect(reference, "there is no result of today's ROM to compare with")
    same("its output", smoke("--rom", rom(release)), reference)


def guest_on(kernel, image):
    run = vmi_run("--memory", "64", "--rom", image, "--kernel", kernel)
    same("the status", run.returncode, 0)
    bad = re.findall(r"^not ok .*", run.stdout, re.M)
    expect(not bad, " | ".join(bad[:3]))
    good = re.findall(r"^ok ", run.stdout, re.M)
    plan = re.search(r"^1\.\.(\d+)$", run.stdout, re.M)
    expect(plan, "it did not come to its end: " + tail(run.stdout))
    same("the number of points", len(good), int(plan[1]))


def other_layout(directory, release):
    """A ROM for another shared area is refused before the guest starts."""
    data = bytearray(read(rom(release)))
    data[LAYOUT_AT] += 1
    data[CHECKSUM_AT] = (data[CHECKSUM_AT] - 1) & 0xff
    path = write(directory, "layout.rom", bytes(data))
    run = vmi_run("--rom", path)
    same("the message", (run.stdout, run.stderr), ("", f"vmi-run: {path}: made "
         "for another layout of the shared area\n"))
    same("the status", run.returncode, 2)


def main():
    today = test_one("smoke on today's ROM", smoke)
    with scratch() as directory:
        tests = [("a ROM of another layout", other_layout, directory,
                  RELEASES[-1])]
        for release in RELEASES:
            guest = os.path.join(DATA, f"guest-{release}.elf")
            tests += [
                (f"today's kernel on the ROM of {release}", kernel_on, release,
                 today),
                (f"the guest of {release} on today's ROM", guest_on, guest,
                 ROM),
                (f"the guest of {release} on its own ROM", guest_on, guest,
                 rom(release)),
                (f"today's conformance suite on the ROM of {release}",
                 guest_on, SUITE, rom(release)),
            ]
        test_all(tests)


main()
