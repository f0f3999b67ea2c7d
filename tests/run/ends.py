#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How a run ends: a guest that dies, one that hangs, time-out, statistics,
counted instructions."""

import sys
sys.dont_write_bytecode = True
import json
import os
import re

from harness import (LOAD, ROOT, elf, expect, same, scratch, tail, test_all,
                     vmi_run, write)


def run_code(directory, name, code, *options, timeout="60"):
    return vmi_run("--kernel", write(directory, name, elf(code)), "--initrd",
                   "", *options, timeout=timeout)


def say(text):
    """Code that prints text on COM1, polling nothing."""
    code = b"\xba\xf8\x03\0\0"                  # mov edx, 3f8h
    for byte in text.encode():
        code += bytes([0xb0, byte, 0xee])       # mov al, byte; out dx, al
    return code


def dies(directory, name, code, past, why):
    """Status 3, and a report that lets its developer find the reason. past:
    how many bytes of the code were executed."""
    mark = b"\xb8\xfe\xca\xad\x0b"              # mov eax, 0badcafeh
    run = run_code(directory, name, say("hello\n") + mark + code)
    same("the console", run.stdout, "hello\n")
    same("the status", run.returncode, 3)
    lines = run.stderr.splitlines()
    expect(lines and lines[0].startswith("guest died"),
           "the report begins with " + repr(lines[:1]))
    expect(re.search(why, lines[0]), "the reason is " + lines[0])
    start = LOAD + len(say("hello\n") + mark)
    eip = f"eip {start + past:08x}"
    expect(eip in run.stderr, eip + " is not in the report")
    for what in ("eax", "esp", "cr3", "0badcafe"):
        expect(what in run.stderr, f"{what} is not in the report")
    expect("code: " + code[past:].hex(" ") in run.stderr, "no instruction bytes")


def timeout(directory):
    run = run_code(directory, "loop", b"\xeb\xfe", timeout="1")
    same("the status", run.returncode, 124)


def reset(directory):
    """The keyboard controller's reset is an orderly end."""
    stats = os.path.join(directory, "stats, with a comma")
    run = run_code(directory, "reset", say("abcd") + b"\xb0\xfe\xe6\x64",
                   "--stats", stats)
    same("the status", (run.returncode, tail(run.stderr)), (0, ""))
    with open(stats, encoding="ascii") as f:
        same("emulated OUTs", json.load(f)["emulated_instructions"]["out"], 4)


def halt(directory):
    """With interrupts off nothing can follow: a kernel that died silently."""
    run = run_code(directory, "halt", say("bye") + b"\xfa\xf4")
    same("the end", (run.returncode, run.stdout), (3, "bye"))
    expect("HLT with interrupts off" in run.stderr, "the report says not why")


def icount(directory):
    """Cycles of a loop of 2 * 1000000 instructions, as the guest sees them."""
    code = (b"\x0f\x31\x89\xc3"                 # rdtsc; mov ebx, eax
            b"\xb9\x40\x42\x0f\x00"             # mov ecx, 1000000
            b"\x49\x75\xfd"                     # dec ecx; jnz
            b"\x0f\x31\x29\xd8"                 # rdtsc; sub eax, ebx
            b"\xba\xf8\x03\0\0\xee"             # out 3f8h, al, four times
            + b"\xc1\xe8\x08\xee" * 3 +
            b"\xb0\xfe\xe6\x64")                # reset
    counts = []
    for n in range(2):
        path = write(directory, f"count{n}", elf(code))
        run = vmi_run("--kernel", path, "--initrd", "", "--icount")
        same("the status", (run.returncode, tail(run.stderr)), (0, ""))
        counts.append(run.stdout)
    same("the second count", counts[1], counts[0])


def options():
    run = vmi_run("--help")
    same("the status", run.returncode, 0)
    for option in ("kernel", "initrd", "append", "memory", "rom", "native",
                   "guest", "icount", "no-batch", "stats", "trace", "timeout",
                   "mitigations", "engine", "gdb"):
        expect(f"--{option}" in run.stdout, f"--{option} is not explained")
    for bad in (["--no-such"], ["--memory", "x"],
                ["--native", "--stats", "x"], ["--native", "--trace", "x"],
                ["--native", "--mitigations", "off"], ["--mitigations", "x"],
                ["--icount", "--engine", "kvm"],
                ["--timeout", "0"], ["--engine", "xen"], ["word"]):
        run = vmi_run(*bad)
        same("the status of " + " ".join(bad), run.returncode, 2)
        expect("error: " in run.stderr, "no message for " + " ".join(bad))


def log_is_apart(directory):
    """The hypervisor's own words are in its log, not on the console."""
    run_code(directory, "log", say("hello") + b"\xb0\xfe\xe6\x64")
    with open(os.path.join(ROOT, "build/run/hypervisor.log"),
              encoding="ascii") as f:
        expect("OpenVMI stub" in f.read(), "the log is empty")


with scratch() as d:
    test_all([
        ("options", options),
        ("time-out", timeout, d),
        ("reset and statistics", reset, d),
        ("halt", halt, d),
        ("fault without a handler", dies, d, "fault", b"\x0f\x0b", 0,
         "vector 6"),
        ("unknown hypercall", dies, d, "hypercall", b"\xcd\x82\x90", 2,
         "hypercall"),
        ("the same count twice", icount, d),
        ("log", log_is_apart, d),
    ])
