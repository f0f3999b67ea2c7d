#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Unikernels of tests/solo5 in Bochs, which checks what QEMU's TCG does not;
it has no virtio devices. Several at once: the hypervisor's log says how each
ended."""

import sys
sys.dont_write_bytecode = True
import os
import re
import subprocess

from attack_bochs import ENTRY, run
from harness import BUILD, expect, same, scratch, tail, test_all

# By the key that starts them: program, command line, and how it ends.
TRAP, DIED = "exit status 255", "died: "
GROUPS = {
    "0": [("machine", "", "exit status 0"), ("clock", "", "exit status 0"),
          ("hello", "status 7", "exit status 7"), ("trap", "ud", TRAP),
          ("trap", "zero", TRAP), ("trap", "text", TRAP),
          ("bad", "port", DIED), ("debug", "", "exit status 0")],
    "1": [("system", "", "exit status 0"),
          *(("trap", word, TRAP) for word in ("de", "bp", "gp", "tables",
                                              "info", "rodata", "fs"))],
    "2": [("bad", word, DIED) for word in ("width", "in", "reset", "block",
                                           "hlt", "no_idt", "cookie",
                                           "nowhere")],
}
PROGRAMS = sorted({name for group in GROUPS.values() for name, *_ in group})
GUEST = ("\tmodule /boot/{0}.hvt role=kernel memory=8 name={0}.hvt -- {1}\n")


def make_iso(directory):
    boot = os.path.join(directory, "iso/boot")
    os.makedirs(boot + "/grub")
    for name in ["hypervisor-stub.elf"] + [f"tests/solo5/{name}.hvt"
                                           for name in PROGRAMS]:
        os.link(os.path.join(BUILD, name),
                os.path.join(boot, os.path.basename(name)))
    with open(boot + "/grub/grub.cfg", "w", encoding="ascii") as f:
        f.write("serial --unit=0 --speed=115200\n"
                "terminal_input serial\nterminal_output serial\n"
                "set timeout=-1\n")
        for key, group in GROUPS.items():
            guests = "".join(GUEST.format(*guest) for guest in group)
            f.write(ENTRY.format(key=key, guests=guests))
    iso = os.path.join(directory, "solo5.iso")
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
                           "-o", iso, os.path.join(directory, "iso")],
                          capture_output=True, text=True, check=False)
    same("the status of grub-mkrescue", done.returncode, 0)
    return iso


def group_ends(iso, key, group):
    said = run(iso, key)
    expect("panic" not in said, "panic: " + tail(said))
    for n, (name, line, end) in enumerate(group, 1):
        found = re.findall(rf"^guest {n}(?::)? (exit status \d+|died: )", said,
                           re.M)
        same(f"how {name} {line} ends", found, [end])


def main():
    with scratch() as directory:
        iso = make_iso(directory)
        test_all([("group " + key, group_ends, iso, key, group)
                  for key, group in GROUPS.items()])


if __name__ == "__main__":
    main()
