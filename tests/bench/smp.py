#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Two vCPUs on two processors, and natively the same kernel on two processors:
what they do to each other. The program in the guest is smp.c.

By default instructions and exits, of each processor for itself (profile.c):
what is halted counts nothing, and neither does user mode, where a program
waits. QEMU runs the processors in turn, and who waits with PAUSE gives the
other its turn, so that waiting costs next to nothing. Timer interrupts come by
the host's clock; medians leave most of them out.

With --wall it is host time, of what two processes do at once against one. The
least of all rounds: in any other somebody else had one of the host's
processors."""

import argparse
import collections
import os
import re
import statistics
import sys
import tempfile

import harness

OPERATIONS = {
    "mprotect": "mprotect of one page, a thread runs elsewhere",
    "munmap": "munmap of one page, the same",
    "madvise": "madvise(MADV_DONTNEED) of one page, the same",
    "thread": "thread create+join",
    "futex": "futex ping-pong, there and back",
    "exec_one": "fork+exec+wait, one process",
    "exec_two": "the same, one process on each processor",
    "exec_free": "the same, two processes that may move",
}

WAYS = {
    "native": ["--native", "--cpus", "2"],
    "vmi": ["--host-cpus", "2", "--cpus", "2"],
}

CPUS = 2

# Natively nobody tells the kernel that the clocks of QEMU's processors agree,
# and it would take the 8254's.
APPEND = "console=ttyS0 panic=-1 quiet nokaslr tsc=reliable bench_smp"

LINE = re.compile(r"^smp (\w+) (\d+) (\d+)\s*$", re.M)
WINDOW = re.compile(r"^window (\d+) (\d+) (\d+) (\d+) (\d+)$", re.M)


def run(way, arguments, timeout, append=APPEND):
    """One boot: (operation, ticks, count) of each round."""
    arguments = ["--kernel", harness.SMP_KERNEL, *harness.GUEST, "--append",
                 append] + WAYS[way] + arguments
    output = harness.run(arguments, timeout)
    rounds = [(name, int(ticks), int(count))
              for name, ticks, count in LINE.findall(output)]
    if not rounds:
        harness.fail(arguments, "no figures", output)
    return rounds


# ---- instructions and exits -------------------------------------------------

def sides(way, timeout):
    """{operation: [(instructions, exits) of each processor]}, each the median
    of all rounds but the first, which warms up."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "profile")
        rounds = run(way, ["--profile", path], timeout)
        with open(path, encoding="ascii") as f:
            windows = [tuple(map(int, w)) for w in WINDOW.findall(f.read())]
    if [w[0] for w in windows] != list(range(CPUS)) * len(rounds):
        sys.exit(f"smp: {len(rounds)} rounds, but not as many windows")
    found = collections.defaultdict(list)
    for i, (name, _, count) in enumerate(rounds):
        found[name].append([
            ((kernel + hypervisor) / count, exits / count)
            for _, _, kernel, hypervisor, exits
            in windows[CPUS * i:CPUS * (i + 1)]])
    return {name: [tuple(map(statistics.median, zip(*one)))
                   for one in zip(*rounds[1:])]
            for name, rounds in found.items()}


def rows(results):
    """(text, native by processor, VMI by processor, ratio, exits by it)."""
    for op, what in OPERATIONS.items():
        native, vmi = ([side[0] for side in results[way][op]] for way in WAYS)
        yield (what, native, vmi, sum(vmi) / sum(native),
               [side[1] for side in results["vmi"][op]])


def table(results):
    print("\ninstructions of kernel and hypervisor per operation, on each "
          "of two processors\n")
    print(f"{'operation':48}{'native: 0':>11}{'1':>9}{'VMI: 0':>11}{'1':>9}"
          f"{'ratio':>8}{'exits: 0':>10}{'1':>8}")
    for what, native, vmi, ratio, exits in rows(results):
        print(f"{what:48}{native[0]:11.0f}{native[1]:9.0f}{vmi[0]:11.0f}"
              f"{vmi[1]:9.0f}{ratio:8.3f}{exits[0]:10.2f}{exits[1]:8.2f}")


# ---- time -------------------------------------------------------------------

EXECS = [op for op in OPERATIONS if op.startswith("exec_")]


def least(way, timeout):
    """{operation: ticks}, in the best round."""
    found = collections.defaultdict(list)
    for name, ticks, count in run(way, [], timeout, APPEND + "=exec"):
        found[name].append(ticks / count)
    return {name: min(ticks[1:]) for name, ticks in found.items()}


def wall(runs, timeout):
    """Ratios of throughput, run by run; returns the best for each way."""
    best = {}
    print(f"\nticks per fork+exec+wait; throughput, one process = 1\n\n"
          f"{'run':14}{'one':>12}{'two':>12}{'free':>12}{'two':>9}{'free':>9}")
    for i in range(runs):
        for way in WAYS:
            ticks = least(way, timeout)
            one, *others = (ticks[op] for op in EXECS)
            ratios = [one / other for other in others]
            print(f"{i + 1:2} {way:11}" +
                  "".join(f"{ticks[op]:12.0f}" for op in EXECS) +
                  "".join(f"{r:9.2f}" for r in ratios), flush=True)
            if way not in best or ratios[0] > best[way]["two"]:
                best[way] = {"ticks": ticks, "two": ratios[0],
                             "free": ratios[1]}
    for way, b in best.items():
        print(f"best {way}: two processors do {b['two']:.2f} times the work "
              "of one")
    return best


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--wall", action="store_true",
                   help="host time instead of instructions")
    p.add_argument("--runs", type=int, default=3,
                   help="with --wall: boots per way (default 3)")
    p.add_argument("--timeout", type=int, default=600,
                   help="seconds for one boot (default 600)")
    args = p.parse_args()
    if args.wall:
        results = wall(args.runs, args.timeout)
    else:
        results = {way: sides(way, args.timeout) for way in WAYS}
        table(results)
    print()
    harness.save("smp-wall.json" if args.wall else "smp.json", results)


if __name__ == "__main__":
    main()
