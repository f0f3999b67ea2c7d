#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Files that are missing, cut off or wrong, and too little memory: one line
that names the file and says what is wrong, status 2, nothing else."""

import sys
sys.dont_write_bytecode = True
import gzip
import os
import re

from harness import (BUILD, INITRD, KERNEL, ROM, expect, read, same, scratch,
                     test_all, vmi_run, write)


def refused(options, pattern):
    run = vmi_run(*options)
    same("the output", run.stdout, "")
    lines = run.stderr.splitlines()
    expect(len(lines) == 1, f"{len(lines)} lines of error: {run.stderr!r}")
    expect(re.fullmatch("vmi-run: " + pattern, lines[0]),
           f"it says {lines[0]!r}")
    same("the status", run.returncode, 2)


def checksummed(rom):
    """The ROM with a checksum that is right, whatever it holds."""
    rom = bytearray(rom)
    rom[7] = (rom[7] - sum(rom)) & 0xff
    return bytes(rom)


def patched(data, offset, value):
    return data[:offset] + bytes([value]) + data[offset + 1:]


def cases(directory):
    kernel, initrd, rom = read(KERNEL), read(INITRD), read(ROM)
    cpio = gzip.decompress(initrd)

    def file(name, data):
        return write(directory, name, data)

    def case(name, option, data, pattern, *more):
        path = file(name.replace(" ", "-"), data)
        return (name, refused, (option, path, *more),
                re.escape(path) + ": " + pattern)

    missing = os.path.join(directory, "none")
    no_file = re.escape(missing) + ": No such file or directory"
    cut = "truncated: the header says \\d+ bytes, the file has \\d+"
    yield "missing kernel", refused, ("--kernel", missing), no_file
    yield "missing initrd", refused, ("--initrd", missing), no_file
    yield "missing ROM", refused, ("--rom", missing), no_file
    yield ("directory as a kernel", refused, ("--kernel", directory),
           re.escape(directory) + ": Is a directory")
    yield ("missing kernel natively", refused,
           ("--native", "--kernel", missing), no_file)
    yield case("empty kernel", "--kernel", b"", "empty")
    yield case("truncated kernel", "--kernel", kernel[:-1], cut)
    yield case("half a kernel", "--kernel", kernel[:len(kernel) // 2], cut)
    yield case("truncated kernel natively", "--kernel", kernel[:-1], cut,
               "--native")
    yield case("no kernel", "--kernel", b"\0" * 10000,
               "not a kernel: neither bzImage nor ELF")
    yield case("no kernel natively", "--kernel", b"\0" * 10000,
               "not a kernel: neither bzImage nor ELF", "--native")
    wide = file("wide", patched(kernel, 0x236, 1))
    guest64 = read(os.path.join(BUILD, "tests/guest64.elf"))
    yield case("64-bit ELF without a PVH entry natively", "--kernel",
               guest64.replace(b"\x12\0\0\0Xen\0", b"\x12\0\0\0Yen\0"),
               "natively QEMU starts a 64-bit ELF by its PVH entry, .*", "--native")
    yield case("ELF headers beyond what a file can have", "--kernel",
               patched(guest64, 39, 0xff), "truncated: .*")
    yield case("the same natively", "--kernel", patched(guest64, 39, 0xff),
               "natively QEMU starts a 64-bit ELF by its PVH entry, .*", "--native")
    yield ("64-bit kernel with a ROM for others", refused,
           ("--kernel", wide, "--rom", ROM),
           re.escape(ROM) + ": not a VMI-64 ROM .*")
    yield case("empty initrd", "--initrd", b"", "empty")
    yield case("truncated initrd", "--initrd", initrd[:-1],
               "truncated: the compressed data has no end")
    yield case("half an initrd", "--initrd", initrd[:len(initrd) // 2],
               "truncated: the compressed data has no end")
    yield case("damaged initrd", "--initrd",
               patched(initrd, len(initrd) // 2, initrd[len(initrd) // 2] ^ 1),
               "(damaged|truncated): .*")
    yield case("truncated initrd uncompressed", "--initrd",
               cpio[:len(cpio) // 2], "truncated: the archive has no end")
    yield case("damaged initrd uncompressed", "--initrd",
               patched(cpio, 0, ord("0"))[:200] + b"x" * 5000,
               "(damaged|truncated): .*")
    yield case("truncated initrd natively", "--initrd", initrd[:-1],
               "truncated: the compressed data has no end", "--native")
    yield case("empty ROM", "--rom", b"", ".*\\S.*")
    yield case("truncated ROM", "--rom", rom[:-512], "truncated: .*")
    yield case("ROM with a wrong checksum", "--rom",
               patched(rom, 0x100, rom[0x100] ^ 1), ".*checksum.*")
    yield case("ROM with API 2.0", "--rom", checksummed(patched(rom, 13, 2)),
               ".*API version.*")
    yield case("ROM without a signature", "--rom",
               checksummed(patched(rom, 8, 0)), ".*signature.*")
    yield "missing ROM natively", refused, ("--native", "--rom", missing), no_file
    native = read(os.path.join(BUILD, "rom/native.rom"))
    yield case("truncated ROM natively", "--rom", native[:-1],
               "truncated: shorter than its length byte says", "--native")
    yield case("ROM with a wrong checksum natively", "--rom",
               patched(native, 0x100, native[0x100] ^ 1), "wrong checksum",
               "--native")
    yield case("ROM with API 2.0 natively", "--rom",
               checksummed(patched(native, 13, 2)), "API version is not 3",
               "--native")
    yield case("any file as ROM natively", "--rom", b"x" * 1000,
               "not an option ROM .*", "--native")
    yield case("the stub's ROM natively", "--rom", rom,
               "the stub hypervisor's ROM, .*", "--native")
    yield case("some hypervisor's ROM natively", "--rom",
               checksummed(patched(native, 0x13, 0xfc)),
               "a hypervisor's ROM .*", "--native")
    yield ("too little memory", refused, ("--memory", "8"),
           re.escape(os.path.relpath(KERNEL)) + ": needs 0x1000000 to "
           "0x[0-9a-f]+, memory ends at 0x800000: too small, \\d+ MB are "
           "needed")
    yield ("too little memory for the initrd", refused,
           ("--memory", "32", "--initrd", file("big", b"x" * (20 << 20))),
           re.escape(os.path.join(directory, "big")) + ": needs 0x1400000 "
           "bytes behind the kernel's end at 0x[0-9a-f]+, memory ends at "
           "0x2000000: too small, \\d+ MB are needed")
    yield ("kernel without a name", refused, ("--kernel", ""),
           "--kernel: the name of a file is empty")
    yield ("far too little memory", refused, ("--memory", "0"),
           "--memory 0: a guest has 4 to 8192 MB")
    yield ("far too much memory", refused, ("--memory", "100000"),
           "--memory 100000: a guest has 4 to 8192 MB")
    yield ("a machine that is too large", refused, ("--host-memory", "20000"),
           "--host-memory 20000: the hypervisor uses 15360 MB at most")
    yield ("command line too long", refused, ("--append", "x" * 3000),
           "command line: 3000 characters, the kernel takes at most \\d+")
    strange = file("a kernäl, role=rom", b"x" * 5000)
    yield ("strange file name", refused, ("--kernel", strange),
           re.escape(strange) + ": not a kernel: neither bzImage nor ELF")


with scratch() as scratch_directory:
    test_all(cases(scratch_directory))
