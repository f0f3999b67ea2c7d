#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""How a run ends: a guest that dies, one that hangs, time-out, statistics,
counted instructions."""

import sys
sys.dont_write_bytecode = True
import json
import os
import re

from harness import (BUILD, LOAD, RESET, elf, expect, patience, private_vmi_run,
                     read, same, scratch, tail, test_all, vmi_run, write)


def run_code(code, *options, **how):
    with scratch() as directory:
        return vmi_run("--kernel", write(directory, "kernel", elf(code)),
                       "--initrd", "", *options, **how)


def say(text):
    """Code that prints text on COM1, polling nothing."""
    code = b"\xba\xf8\x03\0\0"                  # mov edx, 3f8h
    for byte in text.encode():
        code += bytes([0xb0, byte, 0xee])       # mov al, byte; out dx, al
    return code


def dies(code, past, why):
    """Status 3, and a report that lets its developer find the reason. past:
    how many bytes of the code were executed."""
    mark = b"\xb8\xfe\xca\xad\x0b"              # mov eax, 0badcafeh
    run = run_code(say("hello\n") + mark + code)
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


def timeout(code, past, place, *options):
    """Where the guest was, and why it did not go on."""
    native = "--native" in options
    run = run_code(code, "--memory", "16", *options, timeout=patience())
    same("the status", run.returncode, 124)
    check_report(run.stderr, "guest at the time-out: " + place, native,
                 f"eip {LOAD + past:08x} cs 00", "code: " + code[past:].hex(" "))


def timeout_of_several():
    options = []
    with scratch() as directory:
        for n, code in enumerate((b"\xeb\xfe", MASK_ALL + b"\xfb\xf4", RESET)):
            path = write(directory, f"kernel{n}", elf(code))
            options += ["--guest", f"kernel={path},initrd=,memory=16,"
                        "console=" + os.path.join(directory, f"console{n}")]
        run = vmi_run(*options, timeout=patience())
    same("the status", run.returncode, 124)
    said = run.stderr.replace("vmi-run: guest 3 ended, the others go on\n", "")
    first, second, third = said.split("guest ")[1:]
    check_report(first, "1 at the time-out: runs in its kernel", False,
                 f"eip {LOAD:08x}")
    check_report(second, "2 at the time-out: halted, waiting for an interrupt",
                 False, f"eip {LOAD + 8:08x}", "imr ff ff", "virtual IF 1",
                 "clock: no interrupt waits\n")
    same("of the third", third, "3 at the time-out: ended\n")


STAY = os.path.join(BUILD, "tests/guest.elf")       # see its main.c
PLACES = ("runs in its kernel", "ready, another has the processor",
          "an exit is being handled")


def stay(append, **how):
    return vmi_run("--cpus", "4", "--host-cpus", "2", "--memory", "64",
                   "--kernel", STAY, "--append", append, **how)


def timeout_of_vcpus():
    """Two run, as they are when they are asked, two wait."""
    run = stay("stay", timeout=patience())
    same("the status", run.returncode, 124)
    said = run.stderr.split("guest at the time-out: vCPU ")[1:]
    same("the number of vCPUs", len(said), 4)
    for n, text in enumerate(said):
        place = text.splitlines()[0].removeprefix(f"{n}: ")
        expect(place in PLACES, f"vCPU {n}: {place}")
        check_report(text, f"{n}: {place}", False, f"cr2 {0x57a7 + n:08x}")
        same(f"vCPU {n} was interrupted by the question",
             "last exit: vector 2, NMI" in text, place == PLACES[0])


def death_beside_vcpus():
    """What killed it, and what the others did."""
    run = stay("stay=die")
    same("the status", run.returncode, 3)
    text, *others = re.split(r"^vCPU (?=[1-3]: )", run.stderr, flags=re.M)
    died, whose, text = text.split("\n", 2)
    same("the reason", died, "guest died: hypercall 4294967295 does not exist")
    check_report(whose + "\n" + text, "vCPU 0:", False, "cr2 000057a7")
    same("the number of the others", len(others), 3)
    for n, line in enumerate(others, 1):
        expect(re.fullmatch(rf"{n}: ({'|'.join(PLACES[:2])}), eip [0-9a-f]+ "
                            r"esp [0-9a-f]+\n", line), f"vCPU {line}")


def native_death():
    run = run_code(say("hello\n") + b"\x0f\x0b", "--native")
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


def reboots(code, said, *options):
    """As a PC does: an orderly end."""
    run = run_code(say("bye") + code, *options)
    same("the end", (run.returncode, run.stdout, run.stderr.splitlines()[:1]),
         (0, "bye", said))


def reboots_beside(code, how):
    """One of two guests, so that vmi-run says how."""
    with scratch() as directory:
        other = write(directory, "other", elf(RESET))
        reboots(code, [f"vmi-run: guest 1 rebooted by {how}"], "--guest", "",
                "--guest", f"kernel={other},console={directory}/console")


def real_mode():
    """But no BIOS behind it: only a death."""
    run = run_code(TO_BIOS[:8] + b"\xeb\xfe")
    same("the status", run.returncode, 3)
    check_report(run.stderr, "guest died: real mode is not supported", False,
                 f"eip {LOAD + 5:08x}")


def bad_write():
    """The death report has the linear address: here page tables are off, so
    it is the physical one, beyond the memory."""
    code = b"\xa3\0\0\0\x80"                     # mov [80000000h], eax
    run = run_code(code)
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


def wide_death():
    """A 64-bit guest's report, of a hypercall that does not exist."""
    run = vmi_run("--memory", "64", "--kernel",
                  os.path.join(BUILD, "tests/guest64.elf"), "--append", "die")
    same("the status", run.returncode, 3)
    for pattern in (r"^guest died: hypercall", r"^last exit: hypercall, .*, VMI mode$",
                    r"^rip ffffffff81\w{6} cs 0011 ",
                    r"^\t\(unknown\) rdi 0{12}1234 rsi ffff888000000000, "
                    r"at ffffffff81\w{6}$",
                    r"^\thc_IRET_SITE rdi ffffffff81\w{6} rsi \w{16}, "
                    r"at ffffffffffe0\w{4}$"):
        expect(re.search(pattern, run.stderr, re.M),
               f"no {pattern}: {run.stderr}")


GUEST64 = ("--memory", "64", "--kernel",
           os.path.join(BUILD, "tests/guest64.elf"), "--append")
REPORT64 = ("rip", "rax", "rsp", "r8", "r12", "cr0", "gdt", "8259", "code:",
            "stack:")


def wide_native(append, status, first, code):
    """A 64-bit kernel without a hypervisor: its report, if it died or did not end."""
    run = vmi_run("--native", *GUEST64, append, timeout=patience())
    same("the status", run.returncode, status)
    lines = [line for line in run.stderr.splitlines() if line[0] != "\t"]
    if not status:
        return same("the report", lines, [])
    same("the first line", lines[0], first)
    same("the number of lines", len(lines), 1 + len(REPORT64))
    for begin, line in zip(REPORT64, lines[1:]):
        expect(line.startswith(begin + " "), f"{line!r} is not {begin}")
    expect(re.search(r"^rip ffffffff81\w{6} cs 0010 .* ss 0018$", run.stderr,
                     re.M), "rip: " + run.stderr)
    expect("\ncode: " + code in run.stderr, "code: " + run.stderr)


def wide_reboot():
    run = vmi_run(*GUEST64, "die=int3")
    same("the end", (run.returncode, run.stderr), (0, ""))


def wide_death_beside_vcpus():
    """Where the ROM was, and what the other vCPU did."""
    run = vmi_run("--memory", "64", "--cpus", "3", "--host-cpus", "2",
                  "--kernel", os.path.join(BUILD, "tests/guest64.elf"),
                  "--append", "die=rom")
    same("the status", run.returncode, 3)
    for pattern in (r"^guest died: CR3 = f0000000 is outside its memory$",
                    r"^vCPU 0:$", r"^last exit: hypercall, VMI mode$",
                    r"^rip ffffffffffe0\w{4} cs 0011 ",
                    r"^code: c3 ",
                    r"^\thc_SET_CR3 rdi 0{8}f0000000 ",
                    r"^vCPU 1: runs in its kernel, rip ffffffff81\w{6} "
                    r"rsp ffffffff81\w{6}$",
                    r"^vCPU 2: waits for STARTUP, rip 0{16} rsp 0{16}$"):
        expect(re.search(pattern, run.stderr, re.M),
               f"no {pattern}: {run.stderr}")


def reset():
    """The keyboard controller's reset is an orderly end."""
    with scratch() as directory:
        stats = os.path.join(directory, "stats, with a comma")
        run = run_code(say("abcd") + RESET, "--stats", stats)
        same("the status", (run.returncode, tail(run.stderr)), (0, ""))
        counted = json.loads(read(stats))
    same("emulated OUTs", counted["emulated_instructions"]["out"], 5)


def halt():
    """With interrupts off nothing can follow: a kernel that died silently."""
    run = run_code(say("bye") + b"\xfa\xf4")
    same("the end", (run.returncode, run.stdout), (3, "bye"))
    expect("HLT with interrupts off" in run.stderr, "the report says not why")


def icount():
    """Cycles of a loop of 2 * 1000000 instructions, as the guest sees them."""
    code = (b"\x0f\x31\x89\xc3"                 # rdtsc; mov ebx, eax
            b"\xb9\x40\x42\x0f\x00"             # mov ecx, 1000000
            b"\x49\x75\xfd"                     # dec ecx; jnz
            b"\x0f\x31\x29\xd8"                 # rdtsc; sub eax, ebx
            b"\xba\xf8\x03\0\0\xee"             # out 3f8h, al, four times
            + b"\xc1\xe8\x08\xee" * 3 + RESET)
    counts = []
    for _ in range(2):
        run = run_code(code, "--icount")
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


def log_is_apart():
    """The hypervisor's own words are in its log, not on the console."""
    with scratch() as directory:
        program, folder = private_vmi_run(directory)
        run = run_code(say("hello") + RESET, program=program)
        same("the console", run.stdout, "hello")
        log = read(os.path.join(folder, "hypervisor.log"))
    expect(b"OpenVMI: TSC" in log, "the log is empty")


def log_warns():
    """That TCG does not contain a 64-bit kernel, when one starts (security.md)."""
    with scratch() as directory:
        program, folder = private_vmi_run(directory)
        log = os.path.join(folder, "hypervisor.log")
        run_code(RESET, program=program)
        expect(b"TCG does not contain" not in read(log), "of a 32-bit one, too")
        vmi_run(*GUEST64, "die=int3", program=program)
        expect(b"a 64-bit kernel: QEMU's TCG does not contain" in read(log),
               "it does not")


test_all([
    ("options", options),
    *[(f"time-out {how}", timeout, code, past, place, *options)
      for options in ((), ("--native",))
      for how, code, past, place in (
          ("of a loop " + " ".join(options), b"\xeb\xfe", 0,
           "runs in its kernel"),
          ("of one that waits " + " ".join(options),
           MASK_ALL + b"\xfb\xf4\x90", 8,
           "halted, waiting for an interrupt"))],
    ("time-out of several guests", timeout_of_several),
    ("time-out of several vCPUs", timeout_of_vcpus),
    ("death beside vCPUs that run", death_beside_vcpus),
    ("a triple fault natively", native_death),
    ("a reboot by triple fault", reboots_beside, EMPTY_IDT + INT3,
     "triple fault"),
    ("a reboot by triple fault natively", reboots, EMPTY_IDT + INT3, [],
     "--native"),
    ("a reboot by the BIOS", reboots_beside, TO_BIOS, "the BIOS"),
    ("real mode", real_mode),
    ("a bad write", bad_write),
    ("the last calls", last_calls),
    ("death of a 64-bit guest", wide_death),
    ("a triple fault of a 64-bit kernel natively", wide_native, "die=fault", 3,
     "guest died: triple fault", "0f 0b"),
    ("a reboot by triple fault of a 64-bit kernel natively", wide_native,
     "die=int3", 0, None, None),
    ("a reboot by triple fault of a 64-bit kernel", wide_reboot),
    ("time-out of a 64-bit kernel natively", wide_native, "die=never",
     124, "guest at the time-out: runs in its kernel", "eb fe"),
    ("death of a 64-bit guest beside vCPUs", wide_death_beside_vcpus),
    ("reset and statistics", reset),
    ("halt", halt),
    ("fault without a handler", dies, b"\x0f\x0b", 0, "triple fault"),
    ("unknown hypercall", dies, b"\xcd\x82\x90", 2, "hypercall"),
    ("the same count twice", icount),
    ("log", log_is_apart),
    ("the log warns of TCG and 64-bit kernels", log_warns),
])
