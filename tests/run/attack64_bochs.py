#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Cases of tests/attack64 in Bochs (or the cases that are named), as attack_bochs.py
has those of tests/attack: for a 64-bit kernel at ring 1 Bochs is the judge, since
QEMU's TCG takes the privilege level from SS (spec/security.md)."""

import sys
sys.dont_write_bytecode = True
import os
import re
import subprocess

import attack64
import attack_bochs
from attack_bochs import ENTRY, groups
from harness import BUILD, same, scratch, test_all

FILES = ("hypervisor-stub.elf", "tests/attack64.elf", "rom/stub64.rom",
         "tests/attack.elf", "rom/stub.rom")

# Not those that take long, nor those of several vCPUs: they are for real threads.
CHOSEN = re.compile(r"(?!queue_all_tables|queue_no_tables|queue_noise|race_).*")

GUEST = ("\tmodule /boot/attack64.elf role=kernel memory=64 name=attack64.elf "
         "-- case={case} strict=1\n"
         "\tmodule /boot/stub64.rom role=rom name=stub64.rom\n")
BYSTANDER = ("\tmodule /boot/attack.elf role=kernel memory=16 name=attack.elf "
             "-- case=bystander strict=1\n"
             "\tmodule /boot/stub.rom role=rom name=stub.rom\n")


def make_iso(directory, parts):
    boot = os.path.join(directory, "iso/boot")
    os.makedirs(boot + "/grub")
    for name in FILES:
        os.link(os.path.join(BUILD, name),
                os.path.join(boot, os.path.basename(name)))
    with open(boot + "/grub/grub.cfg", "w", encoding="ascii") as f:
        f.write("serial --unit=0 --speed=115200\n"
                "terminal_input serial\nterminal_output serial\n"
                "set timeout=-1\n")
        for key, cases in parts.items():
            guests = [GUEST.format(case=case.name) for case in cases]
            f.write(ENTRY.format(key=key, guests="".join(guests) + BYSTANDER))
    iso = os.path.join(directory, "attack64.iso")
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o",
                           iso, os.path.join(directory, "iso")],
                          capture_output=True, text=True, check=False)
    same("the status of grub-mkrescue", done.returncode, 0)
    return iso


def main():
    cases = attack64.list_cases()
    chosen = [cases[name] for name in sys.argv[1:]] or \
        [case for case in cases.values() if CHOSEN.fullmatch(case.name)]
    most = attack_bochs.AT_ONCE * len(attack_bochs.KEYS)
    for n in range(0, len(chosen), most):
        parts = groups(chosen[n:n + most])
        with scratch() as directory:
            iso = make_iso(directory, parts)
            test_all([("bystander of " + " ".join(case.name for case in part),
                       attack_bochs.one, iso, key, part)
                      for key, part in parts.items()])


if __name__ == "__main__":
    main()
