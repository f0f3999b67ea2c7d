#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Guest and ROM of different releases work together (VMI-4.1): today's kernel
on the ROMs that were released, kept in tests/data, and guests that were
released on today's ROM. tests/data/guest-N.elf is tests/guest and client-N.elf
is tests/client, stripped: 140 KB in all. A Linux of each release is not kept:
the smallest that boots to a program has a megabyte, and it would have to be
built for this alone, so that nobody ships it; the client makes more kinds of
calls than Linux does in a boot, in the order of old kernels, and with PAE."""

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
# What a released guest says of what was not assigned then: number 74.
SINCE = re.compile(r"^not ok (\d+ - .*an unknown call has no relocation)",
                   re.M)


def rom(release):
    return os.path.join(DATA, f"stub-{release}.rom")


def kernel_on(release, reference):
    expect(reference, "there is no result of today's ROM to compare with")
    same("its output", smoke("--rom", rom(release)), reference)


def guest_on(kernel, image, mode=""):
    run = vmi_run("--icount", "--memory", "64", "--rom", image, "--kernel",
                  kernel, "--append", mode)
    same("the status", run.returncode, 0)
    said = SINCE.sub(r"ok \1", run.stdout)
    bad = re.findall(r"^not ok .*", said, re.M)
    expect(not bad, " | ".join(bad[:3]))
    good = re.findall(r"^ok ", said, re.M)
    plan = re.search(r"^1\.\.(\d+)$", run.stdout, re.M)
    expect(plan, "it did not come to its end: " + tail(run.stdout))
    same("the number of points", len(good), int(plan[1]))


def too_much_memory(release):
    """Its queue has no word for pages above 4 GB."""
    path = rom(release)
    run = vmi_run("--memory", "4096", "--rom", path)
    same("the message", run.stderr, f"vmi-run: {path}: older than 0.2, and "
         "knows of no memory above 4 GB: memory=3072 at most\n")
    same("the status", (run.returncode, run.stdout), (2, ""))


def refused(path):
    """A ROM for another shared area, before the guest starts."""
    run = vmi_run("--rom", path)
    same("the message", (run.stdout, run.stderr), ("", f"vmi-run: {path}: made "
         "for another layout of the shared area\n"))
    same("the status", run.returncode, 2)


def other_layout(directory):
    data = bytearray(read(ROM))
    data[LAYOUT_AT] += 1
    data[CHECKSUM_AT] = (data[CHECKSUM_AT] - 1) & 0xff
    refused(write(directory, "layout.rom", bytes(data)))


def cases(directory, today):
    yield "a ROM of another layout", other_layout, directory
    for release in RELEASES:
        guest = os.path.join(DATA, f"guest-{release}.elf")
        old = rom(release)
        client = os.path.join(DATA, f"client-{release}.elf")
        yield f"the guest of {release} on today's ROM", guest_on, guest, ROM
        yield f"the client of {release} on today's ROM", guest_on, client, ROM
        yield (f"the client of {release} on today's ROM, with PAE", guest_on,
               client, ROM, "mode=pae")
        if read(old)[LAYOUT_AT] != read(ROM)[LAYOUT_AT]:
            yield f"the ROM of {release} is refused", refused, old
            continue
        yield (f"the ROM of {release} with 4 GB is refused",
               too_much_memory, release)
        yield (f"today's kernel on the ROM of {release}", kernel_on, release,
               today)
        yield (f"the guest of {release} on its own ROM", guest_on, guest, old)
        # Not today's client: the ROM of 0.1 let virtual-8086 mode pass.
        yield (f"today's conformance suite on the ROM of {release}", guest_on,
               SUITE, old)
        yield (f"today's conformance suite on the ROM of {release}, with PAE",
               guest_on, SUITE, old, "mode=pae")


def main():
    today = test_one("smoke on today's ROM", smoke)
    with scratch() as directory:
        test_all(cases(directory, today))


main()
