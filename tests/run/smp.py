#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux on several vCPUs, over one and several processors, on real threads:
its smoke program prints what it prints natively, but for how many there are,
and its stress program finds nothing wrong."""

import sys
sys.dont_write_bytecode = True
import os

import iso
from harness import (AMD64, INITRD, KERNEL_PAE, SMOKE, expect, read, same,
                     scratch, smoke, smoke_lines, stress, tail, test_one,
                     vmi_run)

PAE = ("--kernel", KERNEL_PAE, "--initrd", INITRD)
LONG = "--long" in sys.argv         # make check-long


def on(cpus, processors):
    return ("--cpus", str(cpus), "--host-cpus", str(processors))


def smoke_several(reference, cpus, processors, *options):
    first, *lines = smoke(*on(cpus, processors), *options)
    same("its first line", first, f"smoke: processors: {cpus}")
    same("its output", lines, reference[1:])


def beside_each_other(reference, guests, cpus, processors):
    """So many guests with so many vCPUs each."""
    with scratch() as directory:
        paths = [os.path.join(directory, f"console{n}") for n in range(guests)]
        args = [arg for path in paths for arg in (
            "--guest", f"console={path},cpus={cpus},append={SMOKE}")]
        run = vmi_run("--memory", "96", "--host-cpus", str(processors), *args)
        expect(run.returncode == 0, f"status {run.returncode}: "
               + tail(run.stderr))
        for path in paths:
            same("the output of " + os.path.basename(path),
                 smoke_lines(read(path).decode()),
                 [f"smoke: processors: {cpus}"] + reference[1:])


TWO_VCPUS = iso.lines(
    "multiboot /boot/hypervisor-stub.elf", "module /boot/bzImage role=kernel "
    "memory=256 cpus=2 name=linux -- console=ttyS0",
    "module /boot/initramfs.cpio.gz role=initrd name=initrd",
    "module /boot/stub.rom role=rom name=rom", "boot")


def two_in_bochs(directory, port):
    return iso.bochs_command(directory, iso.ISO, port, more=(
        "cpu: model=corei7_icelake_u, count=2, ips=25000000\n"))


def smoke_in_bochs(reference):
    iso.boot(two_in_bochs, TWO_VCPUS, "on vmi, ring 1",
             ["smoke: processors: 2"] + reference[1:])


def main():
    # One after the other: each has threads of its own.
    reference = test_one("smoke natively", smoke, "--native")
    for cpus, processors in ((2, 1), (4, 2)) + LONG * ((2, 2), (8, 2), (3, 4)):
        test_one(f"smoke on {cpus} vCPUs over {processors}", smoke_several,
                 reference, cpus, processors)
    test_one("smoke on 2 vCPUs over 1, every shadow entry verified",
             smoke_several, reference, 2, 1, "--verify")
    test_one("smoke on 2 vCPUs over 1, without batching", smoke_several,
             reference, 2, 1, "--no-batch")
    test_one("stress on 4 vCPUs over 2", stress, 300 if LONG else 10,
             *on(4, 2))
    test_one("stress with PAE on 2 vCPUs over 2", stress, 300 if LONG else 5,
             *on(2, 2), *PAE)
    test_one("two guests of 2 vCPUs over 2", beside_each_other, reference,
             2, 2, 2)
    amd64 = test_one("smoke for amd64 natively", smoke, "--native", *AMD64)
    for cpus, processors in ((2, 1), (2, 2)) + LONG * ((4, 2), (8, 2), (3, 4)):
        test_one(f"smoke for amd64 on {cpus} vCPUs over {processors}",
                 smoke_several, amd64, cpus, processors, *AMD64)
    test_one("stress for amd64 on 4 vCPUs over 2", stress, 300 if LONG else 10,
             *on(4, 2), *AMD64)
    if LONG:
        test_one("smoke for amd64 on 2 vCPUs over 2, verified", smoke_several,
                 amd64, 2, 2, "--verify", *AMD64)
        test_one("stress on 2 vCPUs over 2, verified beside each other",
                 stress, 2, *on(2, 2), "--verify")
        test_one("smoke on 2 vCPUs over 2 in Bochs", smoke_in_bochs,
                 reference)
        test_one("eight guests of 4 vCPUs over 2", beside_each_other,
                 reference, 8, 4, 2)


main()
