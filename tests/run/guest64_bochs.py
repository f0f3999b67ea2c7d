#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The 64-bit test guest (tests/guest64) in Bochs, which takes the privilege level
from CS and checks return frames, as a processor does and QEMU's TCG does not; on two
processors."""

import sys
sys.dont_write_bytecode = True
import os
import re
import subprocess

from attack_bochs import ENTRY
from harness import BUILD, HANG, expect, result, same, scratch, tail, test_all
from iso import Machine, bochs_command

FILES = ("hypervisor-stub.elf", "rom/stub64.rom")
GUEST = ("\tmodule /boot/{name} role=kernel memory=64 cpus=3 name={name} --\n"
         "\tmodule /boot/stub64.rom role=rom name=stub64.rom\n")
NATIVE = """menuentry "n" --hotkey=n {{
\tmultiboot2 /boot/{name}
}}
"""


def make_iso(directory, guest):
    """Menu entries 0: the guest under the hypervisor, n: without."""
    boot = os.path.join(directory, "iso/boot")
    os.makedirs(boot + "/grub")
    for name in (*FILES, guest):
        os.link(os.path.join(BUILD, name),
                os.path.join(boot, os.path.basename(name)))
    name = os.path.basename(guest)
    with open(boot + "/grub/grub.cfg", "w", encoding="ascii") as f:
        f.write("serial --unit=0 --speed=115200\n"
                "terminal_input serial\nterminal_output serial\n"
                "set timeout=-1\n"
                + ENTRY.format(key="0", guests=GUEST.format(name=name))
                + NATIVE.format(name=name))
    iso = os.path.join(directory, "guest64.iso")
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
                           "-o", iso, os.path.join(directory, "iso")],
                          capture_output=True, text=True, check=False)
    same("the status of grub-mkrescue", done.returncode, 0)
    return iso


def said_in_bochs(directory, iso):
    """What the guest printed, when the machine has ended by itself."""
    machine = Machine(lambda folder, port: bochs_command(folder, iso, port,
                                                         cpus=2), directory)
    try:
        machine.until("GNU GRUB")
        machine.type("0")
        said = machine.said
        while data := machine.console.recv(4096):
            said += data.decode("ascii", "replace")
        status = machine.process.wait(float(HANG))
    finally:
        machine.end()
    with open(os.path.join(directory, "out"), encoding="ascii",
              errors="replace") as f:
        log = f.read()
    expect("panic" not in log and " died: " not in log, tail(log))
    same("the status of the machine", status, 1)
    return said


def guest():
    with scratch() as directory:
        said = said_in_bochs(directory,
                             make_iso(directory, "tests/guest64.elf"))
    found = re.findall(r"^(not ok|ok) \d+ - \S+ (.*?)\r?$", said, re.M)
    for word, name in found:
        result(name, *([] if word == "ok" else ["in Bochs"]))
    same("how many it says there are", re.findall(r"^1\.\.(\d+)", said, re.M),
         [str(len(found))])


if __name__ == "__main__":
    test_all([("the 64-bit guest in Bochs comes to its end", guest)])
