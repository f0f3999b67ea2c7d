#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The 64-bit attacker of tests/attack64, one boot per case, judged as the 32-bit
one (attack.py), whose bystander runs beside it. What TCG does wrong (privilege
level by SS, IRETD to virtual-8086 mode) is in no case that it judges.

usage: tests/run/attack64.py [--tap] [CASE...]
"""

import sys
sys.dont_write_bytecode = True
import argparse
import os
import re

import attack
from harness import BUILD, Tap, expect, plan, same, scratch, test_all, \
    test_one, vmi_run

ATTACKER = os.path.join(BUILD, "tests/attack64.elf")


def one(case):
    with scratch() as directory:
        console = os.path.join(directory, "bystander")
        keys = re.findall(r"\w+=\d+", case.boot)
        more = ["--host-cpus", "2"] if keys else []
        keys += re.findall(r"rights=[\w+]+", case.boot)
        run = vmi_run(*more, "--initrd", "", "--guest",
                      ",".join([f"kernel={ATTACKER},memory=64,console=stdio",
                                *keys, f"append=case={case.name} "
                                f"ms={attack.race_ms}"]),
                      "--guest", f"kernel={attack.ATTACKER},memory=16,"
                      f"append=case=bystander,console={console}")
        attack.check_bystander(console)
    attack.check(case, run)


def list_cases():
    run = vmi_run("--memory", "64", "--kernel", ATTACKER)
    same("the status", run.returncode, 0)
    cases = [attack.Case(*line.split("\t")[1:])
             for line in run.stdout.splitlines() if line.startswith("case\t")]
    by_name = {case.name: case for case in cases}
    expect(len(by_name) == len(cases) >= CASES, "cases are missing")
    return by_name


CASES = 390


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tap", action="store_true")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    Tap.on = args.tap
    cases = test_one("list of cases", list_cases)
    if cases is None:
        return plan()
    for name in args.cases:
        if name not in cases:
            sys.exit(f"{name} is no case")
    test_all([(name, one, cases[name]) for name in args.cases or cases])
    return plan()


if __name__ == "__main__":
    sys.exit(main())
