#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the conformance suite with each ROM and says what it covered.

usage: tests/conformance/run.py [--quiet] [--no-batch] [--clauses]
                                [--cpus N] [--host-cpus N] ROM...

Each ROM is booted twice, without and with PAE. One that reserves linear space
needs a hypervisor, and gets the stub's; one that reserves none runs natively.
Time counts instructions: nothing here depends on what else the host does.
Prints the guest's TAP, a summary per run, and the clauses of spec/vmi.md that
no point of any run has passed or failed; with --clauses it is a failure if
the list UNTESTED below is not just those. Status 1 if a point failed or a run
did not come to its end, 2 if a file is not a ROM.
"""

import argparse
import re
import struct
import subprocess
import sys
import time

ELF = "build/conformance.elf"
VMI_ROM = "build/tools/vmi-rom"
SPEC = "spec/vmi.md"
LIMIT = 900     # seconds; only ends what hangs
MODES = ("without PAE", ""), ("with PAE", "mode=pae")

# Clauses that cannot have a point here, and why.
UNTESTED = {
    "1.5": "tells guests what not to rely on",
    "1.10": "ends the guest: tests/attack, esp0_*",
    "1.11": "nothing in a guest's reach raises an NMI",
    "1.12": "tells guests what not to rely on",
    "2.2.9": "tells guests not to look",
    "2.3.5": "tells guests what to map; tests/run/count.py lives by it",
    "2.4.1": "tells guests when to call",
    "3.1.12": "tells guests what not to rely on; points of 2.5.1",
    "3.2.1": "none in all ROMs here; points of 2.5.1",
    "3.2.2": "none in all ROMs here; points of 2.5.1",
    "3.2.26": "none in all ROMs here; points of 2.5.1",
    **dict.fromkeys(
        ["3.2.62", "3.2.74", "3.8.1", "3.8.2", "3.8.3", "3.8.4", "3.8.5", "3.8.6",
         "3.8.7", "3.8.8", "3.8.9", "3.8.11"],
        "several processors: tests/run/conformance_smp"),
    "3.8.10": "tells guests what not to do",
    "4.1": "tests/run/abi.py, tests/run/releases.py",
    "4.2": "tests/run/abi.py", "4.3": "tests/run/abi.py",
    "4.4": "is about this suite",
}

POINT = re.compile(r"(not ok|ok) (\d+) - (?:VMI-([\d.]+) )?(.*?)"
                   r"(?: # SKIP (.*))?$")
PLAN = re.compile(r"1\.\.(\d+)(?: # SKIP (.*))?$")
END = re.compile(r"# the end: VMI-([\d.]+) (.*)$")


def is_native(rom):
    with open(rom, "rb") as f:
        return struct.unpack_from("<I", f.read(0x14), 0x10)[0] == 0


class Run:
    """One boot: its points, and what was wrong with the run as a whole."""

    def __init__(self, rom, mode, append):
        self.rom, self.mode, self.append = rom, mode, append
        self.passed, self.skipped, self.failed = [], [], []
        self.wrong = []

    def point(self, match, last):
        result, number, clause, name, reason = match.groups()
        if int(number) != last + 1:
            self.wrong.append(f"point {number} comes after {last}")
        if clause is None:
            self.wrong.append(f"point {number} names no clause")
        where = (self.failed if result == "not ok" else
                 self.skipped if reason else self.passed)
        where.append((clause, name, reason))

    def run(self, args):
        cmd = ["./vmi-run", "--timeout", str(LIMIT), "--icount", "--memory",
               "64", "--kernel", ELF, "--rom", self.rom, "--append",
               self.append]
        if args.no_batch:
            cmd.append("--no-batch")
        if is_native(self.rom):
            cmd.append("--native")
        else:
            cmd += ["--cpus", str(args.cpus),
                    "--host-cpus", str(args.host_cpus)]
        begin = time.monotonic()
        p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             encoding="ascii", errors="replace")
        last, plan, end, line = 0, None, None, "none"
        for line in p.stdout:
            line = line.rstrip()
            if not args.quiet:
                print(line, flush=True)
            match = POINT.match(line)
            if match:
                self.point(match, last)
                last = int(match[2])
            elif PLAN.match(line):
                plan = int(PLAN.match(line)[1])
                if PLAN.match(line)[2]:
                    self.skipped.append((None, "all", PLAN.match(line)[2]))
            elif END.match(line):
                end = END.match(line)
            elif line.startswith("Bail out!"):
                self.wrong.append(line)
        status = p.wait()
        self.seconds = time.monotonic() - begin
        if plan != last:
            self.wrong.append(f"{last} points, the plan says {plan}; the last "
                              f"line: {line}")
        if status:
            self.wrong.append(f"vmi-run ended with status {status}")
        elif end:
            self.passed.append((end[1], end[2] + " ends the guest", None))

    def summary(self):
        print(f"# {self.rom} {self.mode}: {len(self.passed)} passed, "
              f"{len(self.failed)} failed, {len(self.skipped)} skipped, "
              f"{self.seconds:.0f} s")
        for clause, name, _ in self.failed:
            print(f"#   failed: VMI-{clause} {name}")
        for text in self.wrong:
            print(f"#   {text}")


def clauses():
    with open(SPEC, encoding="utf-8") as f:
        return re.findall(r"\*\*VMI-([\d.]+)\*\*", f.read())


def judge_clauses(covered):
    """The last test: the list above is right."""
    left = [c for c in clauses() if c not in covered and c not in UNTESTED]
    wrong = [c for c in UNTESTED if c in covered or c not in clauses()]
    good = not left and not wrong
    print("ok 1 - every clause has a point, or a reason to have none" if good
          else "not ok 1 - every clause has a point, or a reason to have none"
          f"\n# without: {' '.join(left) or '-'}; with both, or not in "
          f"{SPEC}: {' '.join(wrong) or '-'}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--no-batch", action="store_true",
                        help="the stub hypervisor's option of that name")
    parser.add_argument("--cpus", type=int, default=1,
                        help="vCPUs, under the hypervisor")
    parser.add_argument("--host-cpus", type=int, default=1,
                        help="and processors of its machine")
    parser.add_argument("--clauses", action="store_true",
                        help="judge what was covered")
    parser.add_argument("roms", nargs="+")
    args = parser.parse_args()

    for rom in args.roms:
        info = subprocess.run([VMI_ROM, "info", rom], capture_output=True,
                              text=True, check=False)
        if info.returncode:
            print(info.stderr, end="", file=sys.stderr)
            return 2

    runs = [Run(rom, *mode) for rom in args.roms for mode in MODES]
    for r in runs:
        r.run(args)
    covered = {p[0] for r in runs for p in r.passed + r.failed}
    for r in runs:
        r.summary()
    good = not any(r.failed or r.wrong for r in runs)
    if args.clauses:
        good &= judge_clauses(covered)
    left = [c for c in clauses() if c not in covered]
    print(f"# {len(left)} clauses of {SPEC} without a point:")
    for c in left:
        print(f"#   VMI-{c}: {UNTESTED.get(c, 'no ROM here came to it')}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
