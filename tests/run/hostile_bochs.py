#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The hostile user of tests/hostile and hostile64 in Bochs, which checks segment
limits, null selectors and alignment as a processor does: from a CD, natively and
under the hypervisor. Each attack gets the same; see hostile.py."""

import sys
sys.dont_write_bytecode = True
import os
import subprocess

import hostile
from harness import (BUILD, INITRD_AMD64, KERNEL_AMD64, expect, same, scratch,
                     test_all, test_one)
from iso import ISO, PROMPT, QUIET, Machine, bochs_command

# An Intel processor without UMIP: nothing differs. It has AVX, whose XSAVE Linux believes: with Bochs' AVX-512 it ends.
HASWELL = ("cpu: model=corei7_haswell_4770, count=1, ips=25000000, "
           "reset_on_triple_fault=0\n")

# SYSCALL with TF: Bochs raises #DB behind it although FMASK has turned TF off, of
# which Linux complains, natively. And what is of memory alone.
BUT = ("but step_syscall step_mixed step_ss step_ss_syscall single_step churn "
       "churn_forks")

AMD64 = """
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=-1
menuentry "h" --hotkey=h {
\tmultiboot2 /boot/hypervisor-stub.elf
\tmodule2 /boot/bzImage role=kernel memory=128 name=k -- console=ttyS0 panic=-1
\tmodule2 /boot/stub64.rom role=rom name=stub64.rom
\tmodule2 /boot/initramfs-amd64.cpio.gz role=initrd name=initramfs
}
menuentry "n" --hotkey=n {
\tlinux /boot/bzImage console=ttyS0 panic=-1
\tinitrd /boot/initramfs-amd64.cpio.gz
}
"""


def make_iso(directory):
    boot = os.path.join(directory, "iso/boot")
    os.makedirs(boot + "/grub")
    for name in (KERNEL_AMD64, INITRD_AMD64,
                 os.path.join(BUILD, "hypervisor-stub.elf"),
                 os.path.join(BUILD, "rom/stub64.rom")):
        os.link(name, os.path.join(boot, os.path.basename(name)))
    with open(boot + "/grub/grub.cfg", "w", encoding="ascii") as f:
        f.write(AMD64)
    iso = os.path.join(directory, "hostile64.iso")
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc",
                           "-o", iso, os.path.join(directory, "iso")],
                          capture_output=True, check=False)
    same("the status of grub-mkrescue", done.returncode, 0)
    return iso


def attacks(iso, key, least, words, more):
    with scratch() as directory:
        machine = Machine(lambda folder, port: bochs_command(
            folder, iso, port, more=more), directory)
        try:
            machine.until("GNU GRUB")
            machine.type(key)
            machine.until(PROMPT)
            machine.type(QUIET + f"/bin/hostile {words}; echo status $?\n")
            found = machine.until("\nstatus ")
        finally:
            machine.end()
    return hostile.results(found, least)


def both(name, iso, least, different, words="", more=""):
    native, ours = test_all([
        (f"{name} natively in Bochs", attacks, iso, "n", least, words, more),
        (f"{name} in Bochs", attacks, iso, "h", least, words, more)])
    expect(native and ours, "there is nothing to compare")
    hostile.compare(native, ours, name, different)


def main():
    test_one("hostile user in Bochs as natively", both, "hostile user", ISO,
             hostile.ATTACKS, hostile.DIFFERENT)
    with scratch() as directory:
        test_one("hostile user of 64 bits in Bochs as natively", both,
                 "hostile user of 64 bits", make_iso(directory),
                 hostile.ATTACKS64, {}, BUT, HASWELL)


if __name__ == "__main__":
    main()
