#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The attacker of tests/attack, one boot per case: it survives and says so,
or it dies alone (status 3) with a report that says why. Beside it runs a
bystander, which ends when nobody takes time from it any more, and whose
memory and results are then what they must be.

usage: tests/run/attack.py [--tap] [--time S] [CASE...]
"""

import sys
sys.dont_write_bytecode = True
import argparse
import fnmatch
import os
import re

from harness import (BUILD, ROOT, Tap, expect, plan, same, scratch, tail,
                     test_all, test_one, vmi_run)

ATTACKER = os.path.join(BUILD, "tests/attack.elf")
PROMISES = os.path.join(ROOT, "spec/security.md")

NO_STACK = r"the stack at [0-9a-f]{8} cannot take the frame of vector \d+"
CANNOT_RUN = r"cannot run at cs:eip [0-9a-f]{4}:[0-9a-f]{8}, ss:esp .*"
TRIPLE = ("triple fault: no 32-bit interrupt or trap gate for an exception, "
          "nor for the double fault")
HLT = "HLT with interrupts off: nothing can wake it"
TABLE_OUTSIDE = "page table at 0f0000000 is outside its memory"
CR3_OUTSIDE = "CR3 = f0000000 is outside its memory"

# Cases in which the guest dies, and why.
DEATHS = {
    "ss0_empty": CANNOT_RUN, "ss0_user": CANNOT_RUN, "ss0_code": CANNOT_RUN,
    "ss0_high": CANNOT_RUN, "ss0_fault": CANNOT_RUN,
    "esp0_absent": NO_STACK, "esp0_zero": NO_STACK, "esp0_hole": NO_STACK,
    "esp0_rom": NO_STACK, "esp0_edge": NO_STACK,
    "badgate_empty": CANNOT_RUN, "badgate_user": CANNOT_RUN,
    "badgate_data": CANNOT_RUN,
    "badidt_absent": TRIPLE, "badidt_hole": TRIPLE, "badidt_wraps": TRIPLE,
    "badpde": TABLE_OUTSIDE, "badpde_native": TABLE_OUTSIDE,
    "table_outside": TABLE_OUTSIDE, "cr3_outside": CR3_OUTSIDE,
    "cr3_outside_mov": CR3_OUTSIDE, "cr3_outside_deferred": CR3_OUTSIDE,
    "pae": NO_STACK,
    "bus_write": "write to guest-physical 080000000, outside its memory",
    "bus_write_wp": "write to guest-physical 080000000, outside its memory",
    "hlt0": HLT, "hlt0_native": HLT,
    "tail_1": r"bad queue: tail 1 is not in -1024\.\.0",
    "tail_low": r"bad queue: tail -1025 is not in -1024\.\.0",
    "tail_max": r"bad queue: tail 2147483647 is not in -1024\.\.0",
    "tail_min": r"bad queue: tail -2147483648 is not in -1024\.\.0",
    "tail_fault": r"bad queue: tail 5000 is not in -1024\.\.0",
    "unknown_first": r"hypercall \d+ does not exist",
    "unknown_last": "hypercall 4294967295 does not exist",
    "unknown_sign": "hypercall 2147483648 does not exist",
    "early": "hypercall 1 before VMI_Init",
}

NO_STACK_AT = r"no stack at [0-9a-f]{8}"
PATTERNS = {
    r"stack_kernel_hc_iret_(absent|hole)": NO_STACK_AT,
    r"stack_.*": NO_STACK,
    r"guess_write(_far)?":
        "write to guest-physical 004[08]00000, outside its memory",
    r"guess_cr3(_far)?": "CR3 = 04[08]00000 is outside its memory",
    r"pae_write(_high)?":
        "write to guest-physical (10)?0?04000000, outside its memory",
    r"pae_table_outside(_high)?":
        "page table at (0|f)f0000000 is outside its memory",
    r"pae_cr3_outside": "CR3 = f0000020 is outside its memory",
    r"pae_off": NO_STACK,
    r"guess_table": "page table at 004000000 is outside its memory",
}


def death_of(case):
    for pattern, report in [*DEATHS.items(), *PATTERNS.items()]:
        if re.fullmatch(pattern, case):
            return report
    return None


# Noise: what the guest does to itself is its own affair, as long as it ends
# as itself. Whether a null SS can be returned to is the processor's choice
# (SDM and QEMU differ).
EITHER = re.compile(r"(hcall|call)_[A-Z].*|ss0_null|ss0_fault_null|"
                    r"rom_jumps_3")


def checksum():
    """Of the bystander's memory, as tests/attack/bystander.c has it."""
    total = 0
    for i in range(1 << 18):
        word = (i ^ 0x5bd1e995) * 0x9e3779b1 & 0xffffffff
        total = (total << 1 | total >> 31) & 0xffffffff ^ word ^ word >> 15
    return f"{total:x}"


CHECKSUM = checksum()
SAYS = re.compile(r"# bystander: checksum (\w+), (\d+) rounds, \d+ ticks")


def check_bystander(path):
    with open(path, encoding="ascii", errors="replace") as f:
        lines = f.read().splitlines()
    says = [SAYS.fullmatch(line) for line in lines if SAYS.fullmatch(line)]
    bad = [line for line in lines if line.startswith(("not ok", "Bail out"))]
    expect(len(says) == 1 and not bad and lines[-2].endswith("survived"),
           "the bystander: " + tail("\n".join(bad or lines)))
    same("the bystander's checksum", says[0][1], CHECKSUM)


def reports(run):
    """What the hypervisor said of its guests' ends."""
    return [line for line in run.stderr.splitlines()
            if not line.startswith("vmi-run: ")]


# Interrupts at every instruction: alone, time counts instructions.
ICOUNT = ("steps", "step_faults", "ends", "pae_drops")
ALONE = re.compile(r".*_alone_.*")
# Ended by the next slice of the bystander, which must not have ended before:
# on a busy host it could, were time not counted by instructions.
SPINS = re.compile(r"(user_)?vm86_(spin_.*|cli)|espfix_irq")


def boot(case):
    """The case, with its neighbour. Most take 0.5 s; nothing waits longer."""
    if case in ICOUNT:
        return vmi_run("--icount", "--memory", "64", "--kernel", ATTACKER,
                       "--initrd", "", "--append", "case=" + case,
                       timeout="60")
    if ALONE.fullmatch(case):
        return vmi_run("--memory", "64", "--kernel", ATTACKER, "--initrd", "",
                       "--append", "case=" + case, timeout="60")
    with scratch() as directory:
        console = os.path.join(directory, "bystander")
        options = ["--icount"] if SPINS.fullmatch(case) else []
        run = vmi_run(*options, "--kernel", ATTACKER, "--initrd", "",
                      "--guest", f"memory=64,console=stdio,append=case={case}",
                      "--guest", "memory=16,append=case=bystander,console="
                      + console, timeout="60")
        check_bystander(console)
    return run


def one(case):
    run = boot(case)
    report = (reports(run) or [""])[0]
    expect("not ok" not in run.stdout, tail("\n".join(
        line for line in run.stdout.splitlines() if line[:2] in ("no", "# "))))
    if EITHER.fullmatch(case):
        expect(run.returncode in (0, 3),
               f"status {run.returncode}: {tail(run.stderr)}")
        expect(run.returncode == 0 or report.startswith("guest 1 died: "),
               "the report begins with " + report)
        return
    death = death_of(case)
    if death:
        same("the status", (run.returncode, tail(run.stdout)), (3, ""))
        expect(re.fullmatch("guest 1 died: " + death, report),
               "the report begins with " + report)
        same("the number of reports", sum(" died: " in line for line in reports(run)), 1)
        return
    same("the status and the report", (run.returncode, report), (0, ""))
    lines = run.stdout.splitlines()
    results = [line for line in lines if line.startswith("ok ")]
    expect(lines and lines[-1] == f"1..{len(results)}" and
           results[-1].endswith("survived"), "it ends with "
           + tail(run.stdout))


def flood(seconds, pages):
    """Random pages through one hypervisor, with the bystander beside them; the
    rate is for people, not for a verdict."""
    cases = [f"flood seconds={seconds} pages={pages}"]
    cases += [f"flood_kill seed={n} pages={pages // 8}" for n in range(1, 4)]
    with scratch() as directory:
        consoles = [os.path.join(directory, f"{n}") for n in range(5)]
        guests = []
        for case, console in zip(cases + ["bystander"], consoles):
            guests += ["--guest", f"append=case={case},console={console}"]
        run = vmi_run("--kernel", ATTACKER, "--initrd", "", "--memory", "64",
                      *guests, timeout=str(seconds * 4 + 120))
        check_bystander(consoles[-1])
        total = 0
        for n, path in enumerate(consoles[:-1]):
            with open(path, encoding="ascii", errors="replace") as f:
                text = f.read()
            said = re.search(r"# flood: (\d+) pages, (\d+) ms", text)
            expect(said and "not ok" not in text,
                   f"{cases[n]}: " + tail(text))
            total += int(said[1])
            if n == 0:
                ms = int(said[2])
                expect("survived" in text, tail(text))
    expect(run.returncode in (0, 3), f"status {run.returncode}: "
           + tail(run.stderr))
    dead = sum(" died: " in line for line in reports(run))
    print(f"# {total} random pages, {dead} guests killed by one, in {ms} ms: "
          f"{total * 1000 // ms} a second")
    expect(total >= pages, "too few pages")


def case_names():
    run = vmi_run("--memory", "64", "--kernel", ATTACKER, "--initrd", "",
                  timeout="60")
    same("the status", run.returncode, 0)
    names = [line[5:] for line in run.stdout.splitlines()
             if line.startswith("case ")]
    with open(PROMISES, encoding="utf-8") as f:
        for shown_by in re.findall(r"`([\w*]+)`", f.read()):
            expect(fnmatch.filter(names, shown_by),
                   f"spec/security.md names {shown_by}, which is no case")
    for name in ("bystander", "flood", "flood_kill"):
        names.remove(name)
    expect(set(DEATHS) <= set(names), "no such cases: "
           + " ".join(set(DEATHS) - set(names)))
    expect(len(set(names)) == len(names) > 430, "cases are missing")
    return names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tap", action="store_true")
    parser.add_argument("--time", type=int, default=0, metavar="S",
                        help="random pages for S seconds")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    Tap.on = args.tap
    names = args.cases or test_one("list of cases", case_names) or ()
    test_all([(case, one, case) for case in names])
    if not args.cases:
        test_one(f"random pages for {args.time} s" if args.time else
                 "random pages", flood, args.time, 4000)
    return plan()


if __name__ == "__main__":
    sys.exit(main())
