#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The attacker of tests/attack, one boot per case: it survives and says so,
or it dies alone (status 3) with a report that says why. Which of the two it
must be is with the case, and the attacker lists it when it is not told which
case to be. Beside it runs a bystander, which ends when nobody takes time from
it any more, and whose memory and results are then what they must be.

usage: tests/run/attack.py [--tap] [--time S] [--race MS] [CASE...]
"""

import sys
sys.dont_write_bytecode = True
import argparse
import collections
import fnmatch
import os
import re

from harness import (BUILD, HANG, ROOT, Tap, expect, plan, same, scratch, tail,
                     test_all, test_one, vmi_run)

ATTACKER = os.path.join(BUILD, "tests/attack.elf")
PROMISES = os.path.join(ROOT, "spec/security.md")

race_ms = 300   # of guest time, for each race

# Noise: what the guest does to itself is its own affair, as long as it ends
# as itself.
ANY = ".*"


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


def check_survivor(path):
    with open(path, encoding="ascii", errors="replace") as f:
        text = f.read()
    expect("not ok" not in text and "survived" in text,
           "the other one: " + tail(text))


def reports(run):
    """What the hypervisor said of its guests' ends."""
    return [line for line in run.stderr.splitlines()
            if not line.startswith("vmi-run: ")]


def starts(case):
    """How often it begins."""
    return int((re.findall(r"starts=(\d+)", case.boot) or [1])[0])


def boot(case):
    """The case, with its neighbour. Most take 0.5 s."""
    options = ["--icount"] if "icount" in case.boot else []
    append = "case=" + case.name
    if "alone" in case.boot:
        return vmi_run(*options, "--memory", "64", "--kernel", ATTACKER,
                       "--initrd", "", "--append", append)
    keys = re.findall(r"\w+=\d+", case.boot)
    if keys:
        options += ["--host-cpus", "2"]
        append += f" ms={race_ms}"
    keys += re.findall(r"rights=[\w+]+", case.boot)
    with scratch() as directory:
        console, other = (os.path.join(directory, name)
                          for name in ("bystander", "twin"))
        twin = ["--guest", f"memory=64,append={append} seat=1,console={other}"]
        run = vmi_run(*options, "--kernel", ATTACKER, "--initrd", "",
                      "--guest", ",".join(["memory=64,console=stdio", *keys,
                                           "append=" + append]),
                      "--guest", "memory=16,append=case=bystander,console="
                      + console, *(twin if "twin" in case.boot else []))
        check_bystander(console)
        if "twin" in case.boot:
            check_survivor(other)
    return run


def one(case):
    check(case, boot(case))


def check(case, run):
    """Has it ended as it must?"""
    report = (reports(run) or [""])[0]
    expect("not ok" not in run.stdout, tail("\n".join(
        line for line in run.stdout.splitlines() if line[:2] in ("no", "# "))))
    if case.end == ANY:
        expect(run.returncode in (0, 3),
               f"status {run.returncode}: {tail(run.stderr)}")
        expect(run.returncode == 0 or report.startswith("guest 1 died: "),
               "the report begins with " + report)
        return
    if case.end:
        same("the status", (run.returncode, tail(run.stdout)), (3, ""))
        expect(re.fullmatch("guest 1 died: " + case.end, report),
               "the report begins with " + report)
        same("the number of reports", sum(" died: " in line
                                          for line in reports(run)),
             starts(case))
        return
    same("the status and the report", (run.returncode, report), (0, ""))
    lines = run.stdout.splitlines()
    results = [line for line in lines if line.startswith("ok ")]
    expect(lines and lines[-1] == f"1..{len(results) // starts(case)}" and
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
                      *guests, timeout=str(seconds + int(HANG)))
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


# As struct attack of tests/attack/attack.h has it.
Case = collections.namedtuple("Case", "name end end_checked boot")


def list_cases():
    """All, by name."""
    run = vmi_run("--memory", "64", "--kernel", ATTACKER, "--initrd", "")
    same("the status", run.returncode, 0)
    cases = [Case(*line.split("\t")[1:]) for line in run.stdout.splitlines()
             if line.startswith("case\t")]
    names = [case.name for case in cases]
    with open(PROMISES, encoding="utf-8") as f:
        for shown_by in re.findall(r"`([\w*]+)`", f.read()):
            expect(fnmatch.filter(names, shown_by),
                   f"spec/security.md names {shown_by}, which is no case")
    by_name = {case.name: case for case in cases}
    for name in ("bystander", "flood", "flood_kill"):
        del by_name[name]
    expect(len(by_name) + 3 == len(cases) > 430, "cases are missing")
    return by_name


def chosen_cases(names, default=".*"):
    """Those that are named, else those that match."""
    cases = test_one("list of cases", list_cases)
    if cases is None:
        sys.exit(plan())
    for name in names:
        if name not in cases:
            sys.exit(f"{name} is no case")
    return [cases[name] for name in names or cases
            if names or re.fullmatch(default, name)]


def main():
    global race_ms
    parser = argparse.ArgumentParser()
    parser.add_argument("--tap", action="store_true")
    parser.add_argument("--time", type=int, default=0, metavar="S",
                        help="random pages for S seconds")
    parser.add_argument("--race", type=int, default=race_ms, metavar="MS",
                        help="two vCPUs race for MS milliseconds")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    Tap.on = args.tap
    race_ms = args.race
    test_all([(case.name, one, case) for case in chosen_cases(args.cases)])
    if not args.cases:
        test_one(f"random pages for {args.time} s" if args.time else
                 "random pages", flood, args.time, 4000)
    return plan()


if __name__ == "__main__":
    sys.exit(main())
