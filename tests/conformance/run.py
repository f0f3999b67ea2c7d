#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the conformance suite with each ROM and says what it covered.

usage: tests/conformance/run.py [--quiet] [--no-batch] ROM...

A ROM that reserves linear space needs a hypervisor, and gets the stub's; one
that reserves none runs natively. Prints the guest's TAP, a summary per ROM,
and the clauses of spec/vmi.md that no point of any ROM has passed or failed.
Status 1 if a point failed or a run did not come to its end.
"""

import argparse
import re
import struct
import subprocess
import sys
import time

ELF = "build/conformance.elf"
SPEC = "spec/vmi.md"
LIMIT = 120

POINT = re.compile(r"(not ok|ok) (\d+) - (?:VMI-([\d.]+) )?(.*?)"
                   r"(?: # SKIP (.*))?$")
PLAN = re.compile(r"1\.\.(\d+)$")


def is_native(rom):
    with open(rom, "rb") as f:
        return struct.unpack_from("<I", f.read(0x14), 0x10)[0] == 0


class Run:
    """One ROM: its points, and what was wrong with the run as a whole."""

    def __init__(self, rom):
        self.rom = rom
        self.passed, self.skipped, self.failed = [], [], []
        self.wrong = []

    def point(self, line, match, last):
        result, number, clause, name, reason = match.groups()
        if int(number) != last + 1:
            self.wrong.append(f"point {number} comes after {last}")
        if clause is None:
            self.wrong.append(f"point {number} names no clause")
        where = (self.failed if result == "not ok" else
                 self.skipped if reason else self.passed)
        where.append((clause, name, reason))

    def run(self, quiet, no_batch):
        cmd = ["./vmi-run", "--timeout", str(LIMIT), "--memory", "64",
               "--kernel", ELF, "--rom", self.rom]
        if no_batch:
            cmd.append("--no-batch")
        if is_native(self.rom):
            cmd.append("--native")
        begin = time.monotonic()
        p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             encoding="ascii", errors="replace")
        last = plan = None
        for line in p.stdout:
            line = line.rstrip()
            if not quiet:
                print(line, flush=True)
            match = POINT.match(line)
            if match:
                self.point(line, match, last or 0)
                last = int(match[2])
            elif PLAN.match(line):
                plan = int(PLAN.match(line)[1])
            elif line.startswith("Bail out!"):
                self.wrong.append(line)
        status = p.wait()
        self.seconds = time.monotonic() - begin
        if plan is None or plan != last:
            self.wrong.append(f"{last or 0} points, the plan says {plan}")
        if status:
            self.wrong.append(f"vmi-run ended with status {status}")
        elif plan:
            # The runs ends by Shutdown, or by what the guest does for it.
            self.passed.append(("3.2.37", "Shutdown ends the guest", None))

    def summary(self):
        print(f"# {self.rom}: {len(self.passed)} passed, "
              f"{len(self.failed)} failed, {len(self.skipped)} skipped, "
              f"{self.seconds:.0f} s")
        for clause, name, _ in self.failed:
            print(f"#   failed: VMI-{clause} {name}")
        for text in self.wrong:
            print(f"#   {text}")


def clauses():
    with open(SPEC, encoding="utf-8") as f:
        return re.findall(r"\*\*VMI-([\d.]+)\*\*", f.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--no-batch", action="store_true",
                        help="the stub hypervisor's option of that name")
    parser.add_argument("roms", nargs="+")
    args = parser.parse_args()

    runs = [Run(rom) for rom in args.roms]
    for r in runs:
        r.run(args.quiet, args.no_batch)
    covered = {p[0] for r in runs for p in r.passed + r.failed}
    for r in runs:
        r.summary()
    left = [c for c in clauses() if c not in covered]
    print(f"# {len(left)} clauses of {SPEC} without a point: "
          + " ".join("VMI-" + c for c in left))
    return any(r.failed or r.wrong for r in runs)


if __name__ == "__main__":
    sys.exit(main())
