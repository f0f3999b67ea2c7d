#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux on the trace backend: the same output as on the stub's, and a record
of every call that agrees with what the hypervisor counted; of several vCPUs
which of them made it."""

import sys
sys.dont_write_bytecode = True
import collections
import json
import os
import re
import subprocess

from harness import (BUILD, ROM, ROOT, VMI_RUN, expect, patience, same, scratch,
                     smoke, tail, test_all, test_one, vmi_run)

GUEST = os.path.join(ROOT, "tests/data/guest-0.1.elf")

LINE = re.compile(r" *(\d+) (?:(\d): )?([0-9a-f]{8}|-       ) (\w+) *"
                  r"((?: e[adc]x=[0-9a-f]{8})*)"
                  r"(?: stack=([0-9a-f]{8}(?:,[0-9a-f]{8})*))?\n")

# Calls that the stub always passes on to the hypervisor.
EXIT = ("SetGDT", "SetIDT", "SetTR", "SetDR", "CPUID", "Halt", "Shutdown",
        "SetAlarm", "CancelAlarm", "GetWallclockTime")

# Registers and words on the stack that VMI-3.2 gives to a call.
ARGUMENTS = {
    "EnableInterrupts": ("", 0), "SetCR3": ("eax", 0), "CPUID": ("eax ecx", 0),
    "SetPxE": ("eax edx ecx", 0), "UpdatePxE": ("eax edx", 0),
    "WriteGDTEntry": ("eax edx ecx", 1), "AllocatePage": ("eax edx ecx", 2),
    "SetLinearMapping": ("eax edx ecx", 1), "SetAlarm": ("eax edx ecx", 2),
    "FlushProcessors": ("eax edx ecx", 0), "Hypercall": ("eax edx ecx", 2),
}


# The stub passes it on; and only the processor that boots starts others.
STARTS = "SetInitialAPState"


def check_lines(path, count, cpus):
    """Every line of the trace; counts the calls by name and by vCPU."""
    last, name = 0, None
    with open(path, encoding="ascii") as f:
        for line in f:
            match = LINE.fullmatch(line)
            expect(match, f"the line {line!r}")
            cycles, vcpu, eip, name, registers, stack = match.groups()
            expect(int(cycles) >= last, f"{line!r} comes after {last}")
            last = int(cycles)
            count[name] += 1
            count[vcpu] += 1
            count[vcpu, name] += 1
            expect(name != STARTS or vcpu == "0", f"the vCPU in {line!r}")
            stack = stack.split(",") if stack else []
            same(f"the eip of {name}", eip.startswith("-"),
                 name in ("IRET", "SYSEXIT"))
            if name == "IRET":
                user = int(stack[1], 16) & 3 == 3
                same("the frame of IRET", len(stack), 5 if user else 3)
                count["IRET to user"] += user
            elif name in ARGUMENTS:
                same(f"the arguments of {name}",
                     (" ".join(re.findall("e[adc]x", registers)), len(stack)),
                     ARGUMENTS[name])
    same("the last call", name, "Shutdown")
    for vcpu in map(str, range(8)) if cpus > 1 else ():
        same(f"vCPU {vcpu} made calls", count[vcpu] > 0, int(vcpu) < cpus)
    same("calls without a vCPU", count[None] > 0, cpus == 1)


def several(cpus):
    return ("--cpus", str(cpus), "--host-cpus", "2") if cpus > 1 else ()


def traced(reference, directory, cpus):
    expect(reference, "there is no result of the stub to compare with")
    trace = os.path.join(directory, f"trace, with a comma {cpus}")
    stats = os.path.join(directory, f"stats{cpus}")
    lines = smoke("--trace", trace, "--stats", stats, *several(cpus))
    same("its output", lines[1:], reference[1:])
    count = collections.Counter()
    check_lines(trace, count, cpus)
    with open(stats, encoding="ascii") as f:
        stats = json.load(f)
    exits = stats["vmi_calls_that_exited"]
    for name in EXIT + (STARTS,) * (cpus > 1):
        expect(count[name], f"no {name} in the trace")
        same(f"the number of {name}", count[name], exits.get(name, 0))
        for n, stat in enumerate(stats.get("vcpus", ())):
            same(f"the number of {name} of vCPU {n}", count[str(n), name],
                 stat["vmi_calls_that_exited"].get(name, 0))
    same("vCPUs in the statistics", len(stats.get("vcpus", ())),
         cpus if cpus > 1 else 0)
    # Every system call returns to user mode.
    expect(count["IRET to user"] >= stats["exits_by_reason"]["int80"],
           f"{count['IRET to user']} returns to user mode")


def behaviour(directory):
    """Every behaviour that the test guest checks; costs are others here, and
    number 74 has become a call since."""
    run = vmi_run("--icount", "--kernel", GUEST, "--memory", "64", "--trace",
                  os.path.join(directory, "guest"))
    same("the status", run.returncode, 0)
    points = re.findall(r"^((?:not )?ok) \d+ - (.*)", run.stdout, re.M)
    expect(f"\n1..{len(points)}\n" in run.stdout, "it did not come to its end: "
           + tail(run.stdout))
    bad = [name for ok, name in points if ok != "ok" and
           not re.search(" costs? | is two instructions|unknown call", name)]
    expect(not bad, " | ".join(bad[:3]))


def stopped(directory, end, status, cpus=1):
    """A machine that is stopped from outside leaves its last calls, too."""
    path = os.path.join(directory, f"stopped-{end.__name__}-{cpus}")
    with subprocess.Popen(
            [VMI_RUN, "--memory", "64", "--trace", path, "--append", "stay",
             "--kernel", os.path.join(BUILD, "tests/guest.elf"),
             *several(cpus)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as run:
        while b"staying" not in run.stdout.readline():
            expect(run.poll() is None, "it does not stay")
        end(run)
        said = run.communicate()[1].decode()
    same("the status and the message", (run.returncode, said), (status, ""))
    check_stay(path, cpus)


def terminate(run):
    run.terminate()


def quit_qemu(run):
    run.stdin.write(b"\x01x")
    run.stdin.flush()


def last_lines(path, count=None):
    """The last call of each vCPU. count: how often it was made."""
    last = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            match = LINE.fullmatch(line)
            expect(match, f"the line {line!r}")
            vcpu = match[2] and int(match[2])
            last[vcpu] = match[4], match[5]
            if count is not None:
                count[vcpu, match[4], match[5]] += 1
    return last


def check_stay(path, cpus):
    """As tests/guest/main.c has it: nothing is lost of a first start."""
    count = collections.Counter()
    last = last_lines(path, count)
    same("the last calls", last,
         {n if cpus > 1 else None: ("SetCR2", f" eax={0x57a7 + n:08x}")
          for n in range(cpus)})
    for vcpu, call in last.items():
        same(f"the number of that call of {vcpu}", count[vcpu, *call],
             2 if vcpu else 1)


def timed_out(directory):
    path = os.path.join(directory, "late")
    run = vmi_run("--memory", "64", "--trace", path, "--append", "stay",
                  "--kernel", os.path.join(BUILD, "tests/guest.elf"),
                  timeout=patience())
    same("the status", run.returncode, 124)
    expect("guest at the time-out: " in run.stderr, "no report: " + run.stderr)
    check_stay(path, 1)


def died(directory):
    path = os.path.join(directory, "died")
    run = vmi_run("--memory", "64", "--trace", path, "--append", "case=hlt0",
                  "--kernel", os.path.join(BUILD, "tests/attack.elf"))
    same("the status", run.returncode, 3)
    same("the last call", last_lines(path),
         {None: ("FlushTLB", " eax=00000001")})


def no_init(directory):
    """A kernel that panics and reboots."""
    path = os.path.join(directory, "panic")
    run = vmi_run("--trace", path, "--append",
                  "console=ttyS0 panic=-1 rdinit=/none init=/none")
    same("the status", run.returncode, 0)
    expect("Kernel panic" in run.stdout, "no panic: " + tail(run.stdout))
    same("the last call", last_lines(path), {None: ("Reboot", " eax=00000001")})


def no_trace(directory):
    """The stub's ROM records nothing, and that is said."""
    path = os.path.join(directory, "empty")
    run = vmi_run("--kernel", GUEST, "--memory", "64", "--rom", ROM, "--trace",
                  path)
    same("the status", run.returncode, 0)
    same("the message", run.stderr, f"vmi-run: {path}: no calls: the ROM does "
         "not trace, or the guest did not use it\n")


# ---- 64-bit guests ------------------------------------------------------------

LINE64 = re.compile(r" *(\d+) ([0-9a-f]{16}|-               ) (\w+) *"
                    r"((?: r\w\w?=[0-9a-f]{16})*)"
                    r"(?: stack=([0-9a-f]{16}(?:,[0-9a-f]{16}){4}))?\n")
EXIT64 = ("SetGDT", "SetIDT", "SetTR", "SetDR", "CPUID", "Halt", "Shutdown",
          "SetAlarm", "CancelAlarm", "GetWallclockTime", "APICWrite")
ARGUMENTS64 = {
    "EnableInterrupts": "", "SwapGS": "", "SetCR3": "rdi", "GetCR2": "",
    "CPUID": "rdi rsi rdx rcx", "SetPxELong": "rdi rsi",
    "UpdatePxELong": "rdi", "WriteGDTEntry": "rdi rsi rdx",
    "AllocatePage": "rdi rsi rdx rcx r8", "SetLinearMapping": "rdi rsi rdx rcx",
    "SetAlarm": "rdi rsi rdx", "SetSyscallEntry": "rdi rsi",
}
JUMPS = ("IRET", "SwapGSIRET")


def lines64(path):
    """Name, registers and stack of each call."""
    last = 0
    with open(path, encoding="ascii") as f:
        for line in f:
            match = LINE64.fullmatch(line)
            expect(match, f"the line {line!r}")
            cycles, rip, name, registers, stack = match.groups()
            expect(int(cycles) >= last, f"{line!r} comes after {last}")
            last = int(cycles)
            same(f"the rip of {name}", rip.startswith("-"), name in JUMPS)
            same(f"the frame of {name}", stack is not None, name in JUMPS)
            yield name, registers, stack


def wide(directory):
    """The conformance suite on trace64.rom: each point, and each call."""
    path = os.path.join(directory, "wide")
    stats = os.path.join(directory, "wide.stats")
    run = vmi_run("--icount", "--memory", "64", "--trace", path, "--stats", stats,
                  "--kernel", os.path.join(BUILD, "conformance64.elf"))
    same("the status", run.returncode, 0)
    bad = re.findall(r"^not ok .*|^Bail out.*", run.stdout, re.M)
    expect(not bad, " | ".join(bad[:3]))
    points = len(re.findall(r"^ok ", run.stdout, re.M))
    expect(f"\n1..{points}\n" in run.stdout, tail(run.stdout))
    count, users = collections.Counter(), 0
    for name, registers, stack in lines64(path):
        count[name] += 1
        if name in ARGUMENTS64:
            same(f"the arguments of {name}",
                 " ".join(re.findall(r"r\w\w?(?==)", registers)),
                 ARGUMENTS64[name])
        if stack:
            users += int(stack.split(",")[1], 16) & 3 == 3
    same("the last call", name, "Shutdown")
    expect(users > 50, f"{users} returns to user mode")
    with open(stats, encoding="ascii") as f:
        exits = json.load(f)["vmi_calls_that_exited"]
    for name in EXIT64:
        expect(count[name], f"no {name} in the trace")
        same(f"the number of {name}", count[name], exits.get(name, 0))


def wide_stopped(directory):
    """The last calls of one that is stopped, which its shared area has."""
    path = os.path.join(directory, "wide.stopped")
    with subprocess.Popen(
            [VMI_RUN, "--memory", "64", "--trace", path, "--append", "stay",
             "--kernel", os.path.join(BUILD, "tests/guest64.elf")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as run:
        while b"staying" not in run.stdout.readline():
            expect(run.poll() is None, "it does not stay")
        run.terminate()
        said = run.communicate()[1].decode()
    same("the status and the message", (run.returncode, said), (130, ""))
    same("its calls", [name for name, _, _ in lines64(path)],
         ["SetLinearMapping", *["AllocatePage"] * 5, "SetIRETSite"])


with scratch() as d:
    stub = test_one("smoke on the stub's ROM", smoke)
    test_all([("smoke is traced", traced, stub, d, 1),
              ("smoke on 2 vCPUs is traced", traced, stub, d, 2),
              ("the test guest is traced", behaviour, d),
              ("a traced kernel panics", no_init, d),
              ("a traced guest dies", died, d),
              ("a traced guest is stopped", stopped, d, terminate, 130),
              ("4 vCPUs that are traced are stopped", stopped, d, terminate, 130,
               4),
              ("Ctrl-A x while traced", stopped, d, quit_qemu, 130),
              ("time-out while traced", timed_out, d),
              ("a ROM that does not trace", no_trace, d),
              ("the 64-bit conformance suite is traced", wide, d),
              ("a traced 64-bit guest is stopped", wide_stopped, d)])
