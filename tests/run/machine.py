#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the hypervisor makes of the machine that it finds, and machines as
vmi-run never starts them: without a serial port, or with one that nobody
reads."""

import sys
sys.dont_write_bytecode = True
import fcntl
import os
import subprocess

from harness import (BUILD, HANG, ROM, Failed, elf, same, scratch, test_all,
                     write)

HYPERVISOR = os.path.join(BUILD, "hypervisor-stub.elf")
ORDERLY, GUEST_DIED = 1, 3      # as in vmi-run

RESET = b"\xb0\xfe\xe6\x64"     # mov al, 0feh; out 64h, al
UD2 = b"\x0f\x0b"
SAY_A = b"\xba\xf8\x03\0\0\xb0\x41\xee"     # mov edx, 3f8h; mov al, 'A'; out
# mov edx, 3fdh; in al, dx; test al, 1; jz over the UD2
NOTHING_TYPED = b"\xba\xfd\x03\0\0\xec\xa8\x01\x74\x02" + UD2


def machine(directory, code, *options):
    """The command line of one whose only guest runs this code."""
    write(directory, "guest", elf(code))
    os.symlink(ROM, os.path.join(directory, "rom"))
    return ["qemu-system-x86_64", "-machine", "pc", "-cpu", "qemu64,+umip",
            "-m", "128", "-nodefaults", "-display", "none", "-no-reboot",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-kernel", HYPERVISOR, "-initrd",
            "guest role=kernel memory=64 name=guest,rom role=rom name=rom",
            *options]


def status(directory, command):
    """How it ends, if it does."""
    try:
        return subprocess.run(command, cwd=directory, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=float(HANG)).returncode
    except subprocess.TimeoutExpired:
        raise Failed("it does not end") from None


def no_uart(*options):
    with scratch() as directory:
        same("the status",
             status(directory, machine(
                 directory, SAY_A + NOTHING_TYPED + RESET, *options)),
             ORDERLY)


def nobody_reads():
    """The hypervisor's own words, a report among them, are lost then."""
    with scratch() as directory:
        for name in ("serial.in", "serial.out"):
            os.mkfifo(os.path.join(directory, name))
        pipe = os.open(os.path.join(directory, "serial.out"),
                       os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
        os.write(pipe, bytes(4096))
        same("the status",
             status(directory, machine(
                 directory, UD2, "-chardev", "pipe,id=serial,path=serial",
                 "-serial", "chardev:serial")), GUEST_DIED)
        os.close(pipe)


def main():
    test_all([
        ("no serial port", no_uart, "-debugcon", "file:log"),
        ("no serial port and no debug port", no_uart),
        ("a serial port that nobody reads", nobody_reads),
    ])


if __name__ == "__main__":
    main()
