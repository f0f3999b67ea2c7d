#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The 64-bit conformance suite in Bochs, which takes the privilege level from CS and
checks return frames, as a processor does and QEMU's TCG does not: under the
hypervisor, and without, where native64.rom is an option ROM."""

import sys
sys.dont_write_bytecode = True
import os
import re

from guest64_bochs import make_iso, said_in_bochs
from harness import BUILD, expect, result, same, scratch, test_all
from iso import Machine, bochs_command

GUEST = "conformance64.elf"
ROM = os.path.join(BUILD, "rom/native64.rom")
OPTION_ROM = f"optromimage1: file={ROM}, address=0xd0000\n"
CLAUSE = "VMI64-3.10.2"             # QEMU's processor has no SMEP


def judge(said, where, least):
    found = re.findall(r"^(not ok|ok) \d+ - (.*?)( # SKIP .*?)?\r?$", said, re.M)
    for word, name, skipped in found:
        if not skipped:
            result(f"{name} {where}", *([] if word == "ok" else ["in Bochs"]))
    same("how many it says there are", re.findall(r"^1\.\.(\d+)", said, re.M),
         [str(len(found))])
    expect(len(found) >= least, f"{len(found)} points")
    return found


def stub():
    with scratch() as directory:
        said = said_in_bochs(directory, make_iso(directory, GUEST))
    judge(said, "under the hypervisor", 900)


def native():
    with scratch() as directory:
        iso = make_iso(directory, GUEST)
        machine = Machine(lambda folder, port: bochs_command(
            folder, iso, port, more=OPTION_ROM), directory)
        try:
            machine.until("GNU GRUB")
            machine.said = ""
            machine.type("n")
            said = machine.until("# the end")
        finally:
            machine.end()
    found = judge(said, "natively", 600)
    expect(any(CLAUSE in name and not skipped for _, name, skipped in found),
           f"no point of {CLAUSE}")


test_all([("the 64-bit conformance suite in Bochs comes to its end", stub),
          ("and natively", native)])
