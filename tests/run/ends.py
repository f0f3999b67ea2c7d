#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How a run ends: a guest that dies, one that hangs, time-out, statistics,
counted instructions."""

import sys
sys.dont_write_bytecode = True
import json
import os
import re

from harness import (BUILD, LOAD, elf, expect, private_vmi_run, read, same,
                     scratch, tail, test_all, vmi_run, write)


def run_code(directory, name, code, *options, **how):
    return vmi_run("--kernel", write(directory, name, elf(code)), "--initrd",
                   "", *options, **how)


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


# What each line of a report begins with, natively and under the hypervisor.
REPORT = ("eip", "eax", "esi", "ds", "cr0", "gdt", "tr", "8259", "code:",
          "stack:")
REPORT_HV = ("last exit:", *REPORT[:8], "clock:", *REPORT[8:],
             "last hypercalls")

RESET = b"\xb0\xfe\xe6\x64\xeb\xfe"             # by the keyboard controller
MASK_ALL = b"\xb0\xff\xe6\x21\xe6\xa1"        # of both 8259s


def check_report(text, first, native, *more):
    """The lines of a report on one guest."""
    lines = [line for line in text.splitlines() if not line.startswith("\t")]
    same("the first line", lines[0], first)
    begins = REPORT if native else REPORT_HV
    same("the number of lines", len(lines), 1 + len(begins))
    for begin, line in zip(begins, lines[1:]):
        expect(line.startswith(begin), f"{line!r} is not {begin}")
    for what in more:
        expect(what in text, f"{what} is not in the report: {text}")


def timeout(directory, code, past, place, *options):
    """Where the guest was, and why it did not go on."""
    native = "--native" in options
    run = run_code(directory, "loop" + "".join(options), code, "--memory",
                   "16", *options, timeout="5")
    same("the status", run.returncode, 124)
    check_report(run.stderr, "guest at the time-out: " + place, native,
                 f"eip {LOAD + past:08x} cs 00", "code: " + code[past:].hex(" "))


def timeout_of_several(directory):
    spin = write(directory, "spin", elf(b"\xeb\xfe"))
    sleep = write(directory, "sleep", elf(MASK_ALL + b"\xfb\xf4"))
    end = write(directory, "end", elf(RESET))
    options = []
    for n, path in enumerate((spin, sleep, end)):
        options += ["--guest", f"kernel={path},initrd=,memory=16,console="
                    + os.path.join(directory, f"console{n}")]
    run = vmi_run(*options, timeout="5")
    same("the status", run.returncode, 124)
    said = run.stderr.replace("vmi-run: guest 3 ended, the others go on\n", "")
    first, second, third = said.split("guest ")[1:]
    check_report(first, "1 at the time-out: runs in its kernel", False,
                 f"eip {LOAD:08x}")
    check_report(second, "2 at the time-out: halted, waiting for an interrupt",
                 False, f"eip {LOAD + 8:08x}", "imr ff ff", "virtual IF 1",
                 "clock: no interrupt waits\n")
    same("of the third", third, "3 at the time-out: ended\n")


def native_death(directory):
    run = run_code(directory, "triple", say("hello\n") + b"\x0f\x0b",
                   "--native")
    same("the console", run.stdout, "hello\n")
    same("the status", run.returncode, 3)
    check_report(run.stderr, "guest died: triple fault", True,
                 f"eip {LOAD + len(say('hello' + chr(10))):08x}",
                 "code: 0f 0b")


# lidt [esp] with zeroes there.
EMPTY_IDT = b"\x6a\0\x6a\0\x0f\x01\x1c\x24"
INT3 = b"\xcc"
# CR0.PE off; 16-bit code there jumps to F000:FFF0.
TO_BIOS = (b"\x0f\x20\xc0\x24\xfe\x0f\x22\xc0\x90\xea\xf0\xff\0\xf0"
           b"\xeb\xfe")


def reboots(directory, name, code, said, *options):
    """As a PC does: an orderly end."""
    run = run_code(directory, name, say("bye") + code, *options)
    same("the end", (run.returncode, run.stdout, run.stderr.splitlines()[:1]),
         (0, "bye", said))


def reboots_beside(directory, name, code, how):
    """One of two guests, so that vmi-run says how."""
    reboots(directory, name, code, [f"vmi-run: guest 1 rebooted by {how}"],
            "--guest", "", "--guest", f"kernel={write(directory, name + '2', elf(RESET))},"
            f"console={directory}/{name}.console")


def real_mode(directory):
    """But no BIOS behind it: only a death."""
    run = run_code(directory, "real mode", TO_BIOS[:8] + b"\xeb\xfe")
    same("the status", run.returncode, 3)
    check_report(run.stderr, "guest died: real mode is not supported", False,
                 f"eip {LOAD + 5:08x}")


def bad_write(directory):
    """The death report has the linear address: here page tables are off, so
    it is the physical one, beyond the memory."""
    code = b"\xa3\0\0\0\x80"                     # mov [80000000h], eax
    run = run_code(directory, "bad write", code)
    same("the status", run.returncode, 3)
    check_report(run.stderr, "guest died: write to guest-physical 080000000, "
                 "outside its memory", False,
                 "#PF, error code 2, at linear address 80000000",
                 f"eip {LOAD:08x}")


def last_calls():
    """The guest's calls with where they return to, the same ones as one line,
    and an INT 82h of its own as that."""
    attacker = os.path.join(BUILD, "tests/attack.elf")
    run = vmi_run("--memory", "64", "--kernel", attacker, "--initrd", "",
                  "--append", "case=unknown_first")
    same("the status", run.returncode, 3)
    calls = run.stderr.split("last hypercalls, newest first:\n")[1]
    patterns = (r"\t\(unknown\) edx 0+ ecx 0+, INT 82h by the guest at 001\w+",
                r"\thc_FLUSH_TLB edx 0+1 ecx 0+, perhaps returning to 001\w+",
                r"\thc_INIT edx 0+ ecx 0+, at c00c\w+")
    lines = calls.splitlines()
    same("the number of calls", len(lines), len(patterns))
    for line, pattern in zip(lines, patterns):
        expect(re.fullmatch(pattern, line), line)
    expect("last exit: hypercall, INT 82h of the guest's own" in run.stderr,
           "the last exit is not a hypercall")


def reset(directory):
    """The keyboard controller's reset is an orderly end."""
    stats = os.path.join(directory, "stats, with a comma")
    run = run_code(directory, "reset", say("abcd") + b"\xb0\xfe\xe6\x64",
                   "--stats", stats)
    same("the status", (run.returncode, tail(run.stderr)), (0, ""))
    with open(stats, encoding="ascii") as f:
        same("emulated OUTs", json.load(f)["emulated_instructions"]["out"], 5)


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
                   "guest", "icount", "no-batch", "verify", "stats", "profile",
                   "trace", "timeout", "mitigations", "engine", "gdb"):
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
    with scratch() as own:
        program, folder = private_vmi_run(own)
        run = run_code(directory, "log", say("hello") + RESET, program=program)
        same("the console", run.stdout, "hello")
        log = read(os.path.join(folder, "hypervisor.log"))
    expect(b"OpenVMI: TSC" in log, "the log is empty")


with scratch() as d:
    test_all([
        ("options", options),
        *[(f"time-out {how}", timeout, d, code, past, place, *options)
          for options in ((), ("--native",))
          for how, code, past, place in (
              ("of a loop " + " ".join(options), b"\xeb\xfe", 0,
               "runs in its kernel"),
              ("of one that waits " + " ".join(options),
               MASK_ALL + b"\xfb\xf4\x90", 8,
               "halted, waiting for an interrupt"))],
        ("time-out of several guests", timeout_of_several, d),
        ("a triple fault natively", native_death, d),
        ("a reboot by triple fault", reboots_beside, d, "triple",
         EMPTY_IDT + INT3, "triple fault"),
        ("a reboot by triple fault natively", reboots, d, "native triple",
         EMPTY_IDT + INT3, [], "--native"),
        ("a reboot by the BIOS", reboots_beside, d, "bios", TO_BIOS,
         "the BIOS"),
        ("real mode", real_mode, d),
        ("a bad write", bad_write, d),
        ("the last calls", last_calls),
        ("reset and statistics", reset, d),
        ("halt", halt, d),
        ("fault without a handler", dies, d, "fault", b"\x0f\x0b", 0,
         "triple fault"),
        ("unknown hypercall", dies, d, "hypercall", b"\xcd\x82\x90", 2,
         "hypercall"),
        ("the same count twice", icount, d),
        ("log", log_is_apart, d),
    ])
