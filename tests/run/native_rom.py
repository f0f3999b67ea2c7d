#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""native.rom as an option ROM of a machine without hypervisor: the kernel
finds it, is in VMI mode at ring 0, says so, and runs its smoke program with
the output of a machine without any ROM, faults of IRET (VMI-2.5.11) included,
on four processors, too. With vmi=off it does without the ROM that is there."""

import sys
sys.dont_write_bytecode = True
import os

from harness import BUILD, expect, no_complaint, same, tail, test_all, vmi_run

NATIVE_ROM = os.path.join(BUILD, "rom/native.rom")
FOUND = "VMI: Found OpenVMI native, API version 3.1"
SHOW = ('rdinit=/bin/sh -- -c "mount -t sysfs sys /sys;'
        ' grep . /sys/hypervisor/*; reboot -f"')


def boot(append, *options):
    run = vmi_run("--native", "--append", "console=ttyS0 panic=-1 " + append,
                  *options)
    expect(run.returncode == 0, f"status {run.returncode}: "
           + tail(run.stderr or run.stdout))
    no_complaint(run.stdout)
    return run.stdout


def smoke_lines(output):
    return [line for line in output.splitlines() if line.startswith("smoke: ")]


def smoke(*options):
    plain = boot("smoke", *options)
    output = boot("smoke", "--rom", NATIVE_ROM, *options)
    expect(FOUND not in plain, "a ROM is there without --rom")
    expect(FOUND in output, "the kernel did not find the ROM")
    expect("VMI: running in ring 0" in output, "it is not in ring 0")
    lines = smoke_lines(output)
    expect(lines and lines[-1].startswith("smoke: OK "),
           "smoke did not end: " + tail(output))
    same("its output", lines, smoke_lines(plain))
    return lines


def processors():
    same("its first line", smoke("--cpus", "4")[0], "smoke: processors: 4")
    output = boot("stress=10", "--cpus", "4", "--rom", NATIVE_ROM)
    expect("\nstress: OK, " in output, "stress: " + tail(output))


def sysfs():
    output = boot("quiet " + SHOW, "--rom", NATIVE_ROM)
    for file, value in (("type", "vmi"), ("vendor", "OpenVMI"),
                        ("product", "native"), ("ring", "0"),
                        ("api_version", "3.1")):
        expect(f"/sys/hypervisor/{file}:{value}\n" in output,
               f"{file} is not {value}: " + tail(output))


def off():
    output = boot("vmi=off quiet " + SHOW, "--rom", NATIVE_ROM)
    expect("/sys/hypervisor/*: No such file" in output,
           "vmi=off has no effect: " + tail(output))


test_all([
    ("smoke on native.rom", smoke),
    ("smoke on native.rom with 1024 MB", smoke, "--memory", "1024"),
    ("smoke and stress on native.rom with 4 processors", processors),
    ("native.rom in /sys/hypervisor", sysfs),
    ("native.rom with vmi=off", off),
])
