# SPDX-License-Identifier: GPL-2.0-only
"""What the tests in this folder share: running ./vmi-run, telling results."""

import concurrent.futures
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
VMI_RUN = os.path.join(ROOT, "vmi-run")
BUILD = os.path.join(ROOT, "build")
KERNEL = os.path.join(BUILD, "linux/bzImage")
KERNEL_UP = os.path.join(BUILD, "linux-up/bzImage")
KERNEL_PAE = os.path.join(BUILD, "linux-pae/bzImage")
KERNEL_AMD64 = os.path.join(BUILD, "linux-amd64/bzImage")
INITRD_AMD64 = os.path.join(BUILD, "initramfs-amd64.cpio.gz")
AMD64 = ("--kernel", KERNEL_AMD64, "--initrd", INITRD_AMD64)
INITRD = os.path.join(BUILD, "initramfs.cpio.gz")
ROM = os.path.join(BUILD, "rom/stub.rom")

# No test waits for time to pass; this only ends what hangs.
HANG = "900"


class Failed(Exception):
    """The reason, in one line."""


def expect(condition, why):
    if not condition:
        raise Failed(why)


def same(what, found, expected):
    expect(found == expected, f"{what} is {found!r}, not {expected!r}")


def vmi_run(*args, stdin=subprocess.DEVNULL, timeout=HANG, program=VMI_RUN):
    """A finished run: returncode, stdout and stderr as text."""
    return subprocess.run([program, "--timeout", timeout, *args], stdin=stdin,
                          capture_output=True, text=True, errors="replace",
                          check=False)


def private_vmi_run(directory):
    """A vmi-run for whoever reads build/run, where each run that ends leaves
    its log, those of other tests too; and that folder."""
    shutil.copy(VMI_RUN, directory)
    shutil.copytree(os.path.join(ROOT, "vmi_run"),
                    os.path.join(directory, "vmi_run"))
    build = os.path.join(directory, "build")
    os.mkdir(build)
    for name in os.listdir(BUILD):
        if name != "run":
            os.symlink(os.path.join(BUILD, name), os.path.join(build, name))
    return os.path.join(directory, "vmi-run"), os.path.join(build, "run")


def patience():
    """A --timeout by which any guest has long come to its place: ten times what
    it takes just now to start one that ends at once."""
    with scratch() as directory:
        kernel = write(directory, "kernel", elf(RESET))
        begin = time.monotonic()
        run = vmi_run("--memory", "64", "--kernel", kernel, "--initrd", "")
        expect(run.returncode == 0, tail(run.stderr))
        return str(10 * (time.monotonic() - begin))


def tail(text):
    """The end of an output, in one line, for a message."""
    return " | ".join(text.strip().splitlines()[-3:])


def no_complaint(console):
    """Of the kernel: says what was before its first call trace."""
    before, trace, _ = console.partition("Call Trace")
    expect(not trace, "the kernel complained: "
           + " | ".join(before.strip().splitlines()[-12:]))


SMOKE = "console=ttyS0 smoke panic=-1"
# By the clock, which says what else the host does; what hangs ends by HANG.
NO_STALLS = "rcupdate.rcu_cpu_stall_suppress=1"
LAST = re.compile(r"smoke: OK [0-9a-f]{8}")


def smoke_lines(console):
    """The lines of the program."""
    return [line for line in console.splitlines()
            if line.startswith("smoke: ")]


def smoke(*options):
    """Linux runs its smoke program: the lines of the program, after the
    checks that concern one run."""
    run = vmi_run("--append", SMOKE, *options)
    lines = smoke_lines(run.stdout)
    for line in lines:
        expect("FAILED" not in line, line)
    expect(run.returncode == 0, f"status {run.returncode}: "
           + tail(run.stderr or run.stdout))
    expect(lines, "no output of smoke: " + tail(run.stdout))
    expect(LAST.fullmatch(lines[-1]), "it ends with "
           + tail("\n".join(lines)))
    no_complaint(run.stdout)
    return lines


def smoke_on(processors, reference, *options):
    """Natively on several processors it prints the same, but for how many."""
    first, *lines = smoke("--native", "--cpus", str(processors), *options)
    same("its first line", first, f"smoke: processors: {processors}")
    same("its output", lines, reference[1:])


def stress(seconds, *options):
    """Linux runs its stress program for so long."""
    run = vmi_run("--append", f"console=ttyS0 stress={seconds} panic=-1 {NO_STALLS}",
                  *options)
    expect(run.returncode == 0, f"status {run.returncode}: "
           + tail(run.stderr or run.stdout))
    expect(re.search(r"^stress: OK, \d+ rounds$", run.stdout, re.M),
           "it ends with " + tail(run.stdout))
    no_complaint(run.stdout)


def smoke_vmi(reference, batch, *options):
    """Under VMI it prints the same lines."""
    expect(reference, "there is no native result to compare with")
    with scratch() as directory:
        stats = os.path.join(directory, "stats")
        lines = smoke("--stats", stats, *options)
        with open(stats, encoding="ascii") as f:
            stats = json.load(f)
    for ours, theirs in zip(lines, reference):
        same("its output", ours, theirs)
    same("the number of lines", len(lines), len(reference))
    # It was really VMI mode, and batches exactly when it should.
    same("the number of VMI_Init calls",
         stats["vmi_calls_that_exited"].get("Init"), 1)
    entries, drains = stats["queue_entries"], stats["queue_drains"]
    expect(entries > 10000, f"{entries} queue entries")
    if batch:
        expect(entries > 2 * drains, f"{entries} entries in {drains} drains")
    else:
        same("entries per drain", entries / drains, 1.0)


class Tap:
    """TAP instead of the lines that tests/runner counts."""
    on = False
    last = 0
    failed = 0
    lock = threading.Lock()


def result(name, why=None):
    with Tap.lock:
        Tap.last += 1
        Tap.failed += why is not None
        if Tap.on:
            print(f"{'ok' if why is None else 'not ok'} {Tap.last} - {name}"
                  + (f"\n# {why}" if why else ""), flush=True)
        else:
            print(f"ok {name}" if why is None else f"FAIL {name}: {why}",
                  flush=True)


def plan():
    """The last line of TAP; the status to end with."""
    if Tap.on:
        print(f"1..{Tap.last}")
    return Tap.failed != 0


def test_one(name, function, *args):
    """Runs it; prints its result line, and returns its value (None: failed)."""
    try:
        value = function(*args)
    except Failed as why:
        result(name, str(why))
        return None
    result(name)
    return value


def test_all(tests):
    """tests: (name, function, argument...); two at a time on two cores."""
    workers = len(os.sched_getaffinity(0))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(test_one, *test) for test in tests]
        return [job.result() for job in jobs]


def scratch():
    """A directory that disappears with the test."""
    return tempfile.TemporaryDirectory(prefix="vmi-test-")


def write(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


RESET = b"\xb0\xfe\xe6\x64\xeb\xfe"             # by the keyboard controller
LOAD = 0x200000
MULTIBOOT = 0x1badb002      # natively QEMU's loader looks for it


def elf(code):
    """An ELF32 kernel of these bytes."""
    code += bytes(-len(code) % 4)
    code += struct.pack("<III", MULTIBOOT, 0, -MULTIBOOT & 0xffffffff)
    header = struct.pack("<4s5B7xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 0,
                         2, 3, 1, LOAD, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 84, LOAD, LOAD, len(code), len(code), 7, 4)
    return header + segment + code


def read(path):
    with open(path, "rb") as f:
        return f.read()


sys.dont_write_bytecode = True
