#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Unikernels of Solo5's ABI, those of tests/solo5: what they are given, their
calls, their ends, and what vmi-run says of files and devices that are
wrong."""

import sys
sys.dont_write_bytecode = True
import os
import re
import struct

from harness import (BUILD, KERNEL, expect, patience, read, same,
                     scratch, tail, test_all, vmi_run, write)

SECTOR = 512
DISK = 1 << 20


def program(name):
    return os.path.join(BUILD, f"tests/solo5/{name}.hvt")


def run(name, *options, append="", **how):
    return vmi_run("--memory", "32", "--kernel", program(name),
                   "--append", append, *options, **how)


def succeeds(name, *options, **how):
    done = run(name, *options, **how)
    expect("FAILED" not in done.stdout, tail(done.stdout))
    expect(done.returncode == 0, f"status {done.returncode}: "
           + tail(done.stderr))
    expect(done.stdout.endswith("SUCCESS\n"),
           "it ends with " + tail(done.stdout + done.stderr))
    return done.stdout


# ---- what it is given, and says ---------------------------------------------

def hello():
    for line in ("", "Hello Solo5", "a,b=c 'd' " + 100 * "long "):
        same("the console", succeeds("hello", append=line),
             f"hello: '{line}', {len(line)} bytes\nSUCCESS\n")


def quiet():
    done = run("hello", append="quiet")
    same("status, console, errors",
         (done.returncode, done.stdout, done.stderr), (0, "", ""))


def many_lines():
    lines = succeeds("hello", append="long 5000").splitlines()
    same("the number of lines", len(lines), 5001)
    same("them", lines[:-1],
         [f"line {i} of many, as long as lines are" for i in range(5000)])


def statuses():
    for status in (1, 2, 77, 128, 255):
        done = run("hello", append=f"status {status}")
        same("the status", done.returncode, status)
    same("a status of nine bits", run("hello", append="status 513").returncode,
         1)


def memory(megabytes):
    succeeds("machine", "--memory", str(megabytes))


# ---- ends -------------------------------------------------------------------

# What it does, the vector, the error code, and CR2, if that is known.
TRAPS = [("ud", 6, 0, None), ("de", 0, 0, None), ("bp", 3, 0, None),
         ("gp", 13, 0, None), ("zero", 14, 0, 0), ("tables", 14, 0, 0x2000),
         ("info", 14, 3, 0x10000), ("cmdline", 14, 3, None),
         ("beyond", 14, 0, 32 << 20), ("fs", 14, 0, 0)]


def traps(word, vector, error, cr2):
    done = run("trap", append=word)
    same("the status", done.returncode, 255)
    expect(done.stdout.startswith(f"trap {vector:x} error {error:x} rip 1"),
           "it begins with " + tail(done.stdout))
    expect(done.stdout.endswith("ABORT\n"), tail(done.stdout))
    if cr2 is not None:
        expect(f"\ncr2 {cr2:x}\n" in done.stdout, tail(done.stdout))


BAD = [("port", "OUT of [0-9a-f]+ to port 509: it is no call"),
       ("call0", "OUT of [0-9a-f]+ to port 500: it is no call"),
       ("width", "OUT of [0-9a-f]+ to port 502: it is no call"),
       ("in", "IN from port 502: it has none"),
       ("reset", "OUT of fe to port 64: it is no call"),
       ("block", "call 2: its block at 1fffff1 is not in its memory"),
       ("tables", "call 1: its block at 2000 is not in its memory"),
       ("data", "puts: 1 bytes at 2000000 are not its memory"),
       ("length", r"puts: \d+ bytes at 100000 are not its memory"),
       ("cookie", "halt: its cookie at 1ffff9c is not in its memory"),
       ("hlt", "HLT"), ("no_idt", "triple fault"),
       ("nowhere", "SYSCALL cannot lead to cs:rip 0000:8")]


def dies(word, why):
    done = run("bad", append=word)
    expect(done.returncode == 1, f"status {done.returncode}: "
           + tail(done.stderr))
    same("the console", done.stdout, "")
    expect(re.match("guest died: " + why, done.stderr),
           "the report begins with " + repr(done.stderr[:100]))


def sealed(word):
    """As on KVM, whose memory is read-only there."""
    done = run("trap", append=word)
    same("the status and the console", (done.returncode, done.stdout), (1, ""))
    expect(re.match("guest died: host/guest translation fault: rip=0x1", done.stderr),
           "the report begins with " + repr(done.stderr[:100]))


def timeout():
    done = run("hello", append="sleep", timeout=patience())
    same("the status", done.returncode, 124)
    expect(done.stderr.startswith("guest at the time-out: waits in a call\n"),
           "the report begins with " + repr(done.stderr[:100]))


# ---- devices ----------------------------------------------------------------

def disks():
    with scratch() as directory:
        first = write(directory, "first", bytes(DISK))
        text = b"found on the second disk".ljust(SECTOR)
        second = write(directory, "second", text + bytes(DISK - SECTOR))
        succeeds("disk", "--disk", f"storage={first}", "--disk",
                 f"second={second}")
        expect(read(first).startswith(b"written by a unikernel\0"),
               "the first disk has not what was written")
        same("the second disk", read(second),
             2 * text + bytes(DISK - 2 * SECTOR))


def without_names():
    """They are the manifest's next; whatever is in the name of a file."""
    with scratch() as directory:
        first = write(directory, "a=first", bytes(DISK))
        second = write(directory, "second", b"x".ljust(DISK))
        third = write(directory, "third", b"x".ljust(DISK))
        succeeds("disk", "--disk", first, "--disk", second)
        succeeds("disk", "--disk", f"second={third}", "--disk", first)
        for name in (first, second, third):
            same(name, read(name)[:1], b"w" if name == first else b"x")
    succeeds("net", "--net", "user")


def many_disks():
    """In another order than the manifest's."""
    with scratch() as directory:
        names = [write(directory, f"disk{n}", bytes([n]).ljust(4 * SECTOR))
                 for n in range(63)]
        succeeds("many", *[word for n in range(63) for word in
                           ("--disk", f"d{n * 2 % 63}={names[n * 2 % 63]}")])
        for n, name in enumerate(names):
            same(f"the end of disk {n}", read(name)[-1], n)


def network():
    succeeds("net", "--net", "service=user")


def side_by_side(*options):
    """Each has its devices and its status."""
    with scratch() as directory:
        files = [write(directory, name, bytes(DISK)) for name in "abcd"]
        out = os.path.join(directory, "out")
        disk = f"kernel={program('disk')},append=,memory=32"
        done = vmi_run(
            *options, "--guest", f"{disk},disk=second={files[0]},"
            f"disk=storage={files[1]},console={out}1",
            "--guest", f"kernel={program('net')},append=,memory=32,"
            f"net=service=user,console={out}2",
            "--guest", f"{disk},disk=storage={files[2]},"
            f"disk=second={files[3]},console={out}3",
            "--guest", f"kernel={program('hello')},append=status 9,memory=32,"
            f"console={out}4")
        same("the status", done.returncode, 9)
        for n in range(1, 4):
            same(f"console {n}", read(out + str(n)), b"SUCCESS\n")
        same("what was written", [read(name)[:7] for name in files],
             [bytes(7), b"written", b"written", bytes(7)])


def dies_beside_another():
    """While nobody runs the processor is as it was left."""
    with scratch() as directory:
        out = os.path.join(directory, "out")
        done = vmi_run("--guest", f"kernel={program('clock')},append=,"
                       f"memory=32,console={out}",
                       "--guest", f"kernel={program('bad')},append=nowhere,"
                       "memory=32,starts=3,console=stdio")
        same("the status", done.returncode, 1)
        same("the console", read(out), b"SUCCESS\n")


def beside_linux():
    with scratch() as directory:
        out = os.path.join(directory, "out")
        done = vmi_run("--guest", f"kernel={program('clock')},append=,"
                       f"memory=32,starts=3,console={out}",
                       "--guest", "append=console=ttyS0 smoke panic=-1,"
                       "console=stdio")
        expect("smoke: OK" in done.stdout, tail(done.stdout + done.stderr))
        expect(done.returncode == 0, f"status {done.returncode}: "
               + tail(done.stderr) + tail(read(out).decode()))
        same("the unikernel's console", read(out), 3 * b"SUCCESS\n")


# ---- what is wrong ----------------------------------------------------------

def refused(why, *options):
    done = vmi_run(*options)
    expect(done.returncode == 2, f"status {done.returncode}, not 2: "
           + " ".join(options)[-100:] + ": " + tail(done.stderr))
    expect(re.fullmatch(f"vmi-run: {why}\n", done.stderr),
           "it says " + tail(done.stderr))


def bad_options():
    with scratch() as directory:
        disk = write(directory, "disk", bytes(SECTOR))
        odd = write(directory, "odd", bytes(SECTOR + 1))
        hello_ = ("--kernel", program("hello"))
        disk_ = ("--kernel", program("disk"))
        # Its devices' names would be options of the guest.
        worded = read(program("disk")).replace(b"storage\0", b"x trace\0")
        worded = write(directory, "worded.hvt",
                       worded.replace(b"second\0", b"x -- y\0"))
        for why, options in (
                (r".*/disk.hvt: its manifest has the block device "
                 r"\"storage\", and none is attached \(--disk storage=...\)", disk_),
                (r".*/hello.hvt: its manifest has the block device \"x\" 0 "
                 "times", (*hello_, "--disk", f"x={disk}")),
                (r".*/odd: 513 bytes; a disk is blocks of 512 bytes.*",
                 (*disk_, "--disk", f"storage={odd}")),
                (r".*/none: No such file or directory",
                 (*disk_, "--disk", f"storage={disk}", "--disk",
                  f"second={directory}/none")),
                (r"--disk: .*/disk is the disk of two",
                 (*disk_, "--disk", f"storage={disk}", "--disk",
                  f"second={disk}")),
                (r"--net x=tap:nowhere: there is no such interface.*",
                 (*hello_, "--net", "x=tap:nowhere")),
                (r"--disk .*/disk: not NAME=VALUE, and the unikernel's "
                 "manifest has no further device for it",
                 (*disk_, "--disk", odd, "--disk", disk, "--disk", disk)),
                (r"--disk .*/disk: not NAME=VALUE, and the unikernel's "
                 "manifest has no further device for it",
                 ("--kernel", worded, "--disk", disk)),
                (r"--net x=else: user, or tap:INTERFACE",
                 (*hello_, "--net", "x=else")),
                (r"--disk x: not NAME=VALUE.*", (*hello_, "--disk", "x")),
                (r"--cpus 2: a unikernel has one", (*hello_, "--cpus", "2")),
                (r"--native has no meaning for a unikernel",
                 (*hello_, "--native")),
                (r".*bzImage: --disk and --net are for unikernels.*",
                 ("--kernel", KERNEL, "--disk", f"x={disk}")),
                (r".*/hello.hvt: a unikernel has no initial RAM disk",
                 (*hello_, "--initrd", disk)),
                (r"command line: 8192 characters.*",
                 (*hello_, "--append", 8192 * "x")),
                (r"memory: too much.*", (*hello_, "--memory", "3073")),
                ):
            refused(why, *options)


def bad_files():
    """One word of a file that is right is another one."""
    good = read(program("hello"))
    abi = good.index(b"Solo5\0\0\0" + struct.pack("<II", 1, 2)) + 8
    with scratch() as directory:
        for at, value, why in (
                (abi, 2, "a unikernel for target 2 of Solo5, not for hvt.*"),
                (abi + 4, 1, "a unikernel for version 1 of Solo5's hvt ABI.*"),
                (24, 0x100, "the entry 0x100 is in no ELF segment.*"),
                (64 + 3 * 56 + 4, 7, "an ELF segment at 0x100000 is both "
                 "written and executed"),
                (64 + 3 * 56 + 16, 0x1000, "an ELF segment begins at 0x1000, "
                 "below 0x100000"),
                (64 + 3 * 56 + 32, 1 << 30, "truncated: an ELF segment.*")):
            bad = (good[:at] + struct.pack("<I", value) + good[at + 4:])
            refused(f".*/bad.hvt: {why}", "--kernel",
                    write(directory, "bad.hvt", bad))


test_all([("the command line", hello), ("nothing said", quiet),
          ("many lines", many_lines), ("exit statuses", statuses),
          ("its memory and processor", memory, 32),
          ("the least memory", memory, 4),
          ("time", succeeds, "clock"),
          ("instructions of the system", succeeds, "system"),
          *[("trap " + trap[0], traps, *trap) for trap in TRAPS],
          ("write to text", sealed, "text"),
          ("write to read-only data", sealed, "rodata"),
          *[("end by " + bad[0], dies, *bad) for bad in BAD],
          ("two disks", disks),
          ("devices without names", without_names),
          ("63 disks", many_disks), ("a network", network),
          ("four side by side", side_by_side),
          ("four on two processors", side_by_side, "--host-cpus", "2"),
          ("a death beside another", dies_beside_another),
          ("a time-out", timeout),
          ("beside Linux, started again", beside_linux),
          ("options that are wrong", bad_options),
          ("files that are wrong", bad_files)])
