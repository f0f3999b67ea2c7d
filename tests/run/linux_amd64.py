#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux for amd64: its smoke program, for 64 and for 32 bits, prints under VMI
what it prints natively; beside a 32-bit guest, with the ROM for bare hardware
at ring 0, and where a ROM is none of its business. On several processors it is
in smp.py."""

import sys
sys.dont_write_bytecode = True
import os

from harness import (AMD64 as OPTIONS, BUILD, INITRD, INITRD_AMD64, KERNEL,
                     KERNEL_AMD64, SMOKE, expect, read, same, scratch, smoke,
                     smoke_lines, smoke_on, smoke_vmi, tail, test_one, vmi_run)

NATIVE64 = ("--native", "--rom", os.path.join(BUILD, "rom/native64.rom"))
OF_32_BITS = ("--append", SMOKE.replace("smoke", "smoke32"))


def smoke_ring0(reference):
    """It calls the ROM, which says so on the console."""
    run = vmi_run(*NATIVE64, *OPTIONS, "--append", SMOKE)
    same("its output", smoke_lines(run.stdout), reference)
    expect("VMI: Found OpenVMI native64, " in run.stdout and
           "VMI: running in ring 0" in run.stdout, tail(run.stdout))


def found(run):
    return [line for line in run.stdout.splitlines() if "VMI: " in line]


def rom_ignored(*options):
    """A kernel that must not take this ROM boots without."""
    run = vmi_run("--native", *OPTIONS, *options)
    expect(smoke_lines(run.stdout)[-1].startswith("smoke: OK"),
           tail(run.stdout))
    same("what it says of VMI", found(run), [])


def beside_32_bits():
    """A guest of either width, each with what is its own."""
    with scratch() as directory:
        paths = [os.path.join(directory, f"console{n}") for n in range(2)]
        run = vmi_run(
            "--guest", f"console={paths[0]},kernel={KERNEL_AMD64},"
            f"initrd={INITRD_AMD64},append={SMOKE}",
            "--guest", f"console={paths[1]},kernel={KERNEL},"
            f"initrd={INITRD},append={SMOKE}", "--memory", "128")
        expect(run.returncode == 0, tail(run.stderr))
        for path in paths:
            lines = smoke_lines(read(path).decode())
            expect(lines and lines[-1].startswith("smoke: OK"),
                   tail(read(path).decode()))


def main():
    reference = test_one("smoke for 64 bits natively", smoke, "--native",
                         *OPTIONS)
    of_32_bits = test_one("smoke for 32 bits natively", smoke, "--native",
                          *OPTIONS, *OF_32_BITS)
    test_one("smoke natively on 2 processors", smoke_on, 2, reference,
             *OPTIONS)
    test_one("smoke for 64 bits", smoke_vmi, reference, True, *OPTIONS)
    test_one("smoke for 32 bits", smoke_vmi, of_32_bits, True, *OPTIONS,
             *OF_32_BITS)
    test_one("smoke without batching", smoke_vmi, reference, False,
             "--no-batch", *OPTIONS)
    test_one("smoke, 64 MB, every shadow entry verified", smoke_vmi,
             reference, True, "--verify", "--memory", "64", *OPTIONS)
    test_one("smoke at ring 0, native64.rom", smoke_ring0, reference)
    test_one("vmi=off at ring 0", rom_ignored, *NATIVE64[1:], "--append",
             SMOKE + " vmi=off")
    test_one("a 32-bit guest's ROM", rom_ignored, "--rom",
             os.path.join(BUILD, "rom/native.rom"), "--append", SMOKE)
    test_one("beside a 32-bit guest", beside_32_bits)


main()
