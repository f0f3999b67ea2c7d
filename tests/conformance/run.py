#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the conformance suite, the 64-bit one for a ROM of VMI-64, with each ROM and
says what it covered.

usage: tests/conformance/run.py [--quiet] [--no-batch] [--clauses]
                                [--cpus N] [--host-cpus N] ROM...

Each ROM is booted twice, for 32-bit guests without and with PAE. One that reserves
linear space
needs a hypervisor, and gets the stub's; one that reserves none runs natively.
Time counts instructions: nothing here depends on what else the host does.
Prints the guest's TAP, a summary per run, and the clauses of spec/vmi.md, or of
spec/vmi64.md, that no point of any run has passed or failed; with --clauses it is a
failure if the list UNTESTED below is not just those. Status 1 if a point failed or a run
did not come to its end, 2 if a file is not a ROM.
"""

import argparse
import re
import struct
import subprocess
import sys
import time

VMI_ROM = "build/tools/vmi-rom"
LIMIT = 900     # seconds; only ends what hangs

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
    "3.2.75": "what it reaches is the hypervisor's: tests/run/service.py",
    "3.8.10": "tells guests what not to do",
    "4.1": "tests/run/abi.py, tests/run/releases.py",
    "4.2": "tests/run/abi.py", "4.3": "tests/run/abi.py",
    "4.4": "is about this suite",
}

# Of spec/vmi64.md, and what spec/vmi.md has of the calls and holds for both.
BOTH = re.compile(r"VMI-3\.[24567]\.")
UNTESTED64 = {
    "VMI64-1.7": "tells guests what not to do",
    "VMI64-3.10.2": "no SMEP in QEMU's processor: tests/run/conformance64_bochs.py",
    **dict.fromkeys(
        ["VMI64-3.2.62", "VMI64-3.8.1", "VMI64-3.8.2", "VMI64-3.8.3"],
        "several processors: tests/run/conformance64_smp"),
    **dict.fromkeys(
        ["VMI-3.2.0", "VMI-3.2.11", "VMI-3.2.12", "VMI-3.2.13", "VMI-3.2.14",
         "VMI-3.2.31", "VMI-3.2.32", "VMI-3.2.33", "VMI-3.2.39", "VMI-3.2.40",
         "VMI-3.2.42", "VMI-3.2.45", "VMI-3.2.62", "VMI-3.2.98", "VMI-3.2.99",
         "VMI-3.6.4"], "VMI64 has its own"),
    **dict.fromkeys(["VMI-3.2.34", "VMI-3.2.38", "VMI-3.6.5", "VMI-3.6.7"],
                    "is not for 64-bit guests"),
    **dict.fromkeys(["VMI-3.2.1", "VMI-3.2.2", "VMI-3.2.26"],
                    "none in all ROMs here"),
    "VMI64-3.2.74": "several processors: tests/run/conformance64_smp",
    "VMI-3.2.74": "the same",
    "VMI64-3.2.75": "what it reaches is the hypervisor's: tests/run/service.py",
    "VMI-3.2.75": "the same",
    "VMI-3.4.4": "says what may be",
    "VMI-3.6.8": "tells guests and ROMs at ring 0 what not to do",
}


class Suite:
    """The guest, its modes and what it is judged by."""

    def __init__(self, elf, spec, modes, untested):
        self.elf, self.spec, self.modes = elf, spec, modes
        self.untested = untested

    def clauses(self):
        clauses = clauses_of(self.spec)
        if self is SUITE64:
            clauses += filter(BOTH.match, clauses_of(SUITE.spec))
        return clauses


SUITE = Suite("build/conformance.elf", "spec/vmi.md",
              (("without PAE", ""), ("with PAE", "mode=pae")),
              {"VMI-" + c: why for c, why in UNTESTED.items()})
SUITE64 = Suite("build/conformance64.elf", "spec/vmi64.md",
                (("and Shutdown", ""), ("and Reboot", "end=reboot")), UNTESTED64)

POINT = re.compile(r"(not ok|ok) (\d+) - (?:(VMI(?:64)?-[\d.]+) )?(.*?)"
                   r"(?: # SKIP (.*))?$")
PLAN = re.compile(r"1\.\.(\d+)(?: # SKIP (.*))?$")
END = re.compile(r"# the end: (VMI-[\d.]+) (.*)$")


def is_native(rom):
    with open(rom, "rb") as f:
        return struct.unpack_from("<I", f.read(0x14), 0x10)[0] == 0


def suite_of(rom):
    with open(rom, "rb") as f:
        return SUITE64 if f.read(12)[8:] == b"cV64" else SUITE


class Run:
    """One boot: its points, and what was wrong with the run as a whole."""

    def __init__(self, rom, mode, append):
        self.rom, self.mode, self.append = rom, mode, append
        self.known = clauses_of(SUITE.spec) + clauses_of(SUITE64.spec)
        self.passed, self.skipped, self.failed = [], [], []
        self.wrong = []

    def point(self, match, last):
        result, number, clause, name, reason = match.groups()
        if int(number) != last + 1:
            self.wrong.append(f"point {number} comes after {last}")
        if clause is None:
            self.wrong.append(f"point {number} names no clause")
        elif clause not in self.known:
            self.wrong.append(f"point {number}: there is no {clause}")
        where = (self.failed if result == "not ok" else
                 self.skipped if reason else self.passed)
        where.append((clause, name, reason))

    def run(self, args):
        cmd = ["./vmi-run", "--timeout", str(LIMIT), "--icount", "--memory",
               "64", "--kernel", suite_of(self.rom).elf, "--rom", self.rom, "--append",
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
            print(f"#   failed: {clause} {name}")
        for text in self.wrong:
            print(f"#   {text}")


def clauses_of(spec):
    with open(spec, encoding="utf-8") as f:
        return re.findall(r"\*\*(VMI(?:64)?-[\d.]+)\*\*", f.read())


def judge_clauses(suite, covered):
    """The last test: the list above is right."""
    clauses, untested = suite.clauses(), suite.untested
    left = [c for c in clauses if c not in covered and c not in untested]
    wrong = [c for c in untested if c in covered or c not in clauses]
    good = not left and not wrong
    print("ok 1 - every clause has a point, or a reason to have none" if good
          else "not ok 1 - every clause has a point, or a reason to have none"
          f"\n# without: {' '.join(left) or '-'}; with both, or not in "
          f"{suite.spec}: {' '.join(wrong) or '-'}")
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

    suite = suite_of(args.roms[0])
    if any(suite_of(rom) is not suite for rom in args.roms):
        print("ROMs for 32-bit and for 64-bit guests", file=sys.stderr)
        return 2
    runs = [Run(rom, *mode) for rom in args.roms for mode in suite.modes]
    for r in runs:
        r.run(args)
    covered = {p[0] for r in runs for p in r.passed + r.failed}
    for r in runs:
        r.summary()
    good = not any(r.failed or r.wrong for r in runs)
    if args.clauses:
        good &= judge_clauses(suite, covered)
    left = [c for c in suite.clauses() if c not in covered]
    print(f"# {len(left)} clauses of {suite.spec} without a point:")
    for c in left:
        print(f"#   {c}: {suite.untested.get(c, 'no ROM here came to it')}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
