#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot the same kernel and the same benchmark natively and under VMI, and
print one table. The program in the guest is bench.c; what its lines mean is
said there.

Under -icount (the default) a tick is an instruction, and two runs give the
same numbers to the digit. With --wall it is host time, good for ratios within
one run only: the ways alternate, and each figure is a median."""

import argparse
import re
import statistics
import sys
import time

import harness

# Name in bench.c: what it is, most allowed ratio, most allowed exits
# (None: not limited).
OPERATIONS = {
    "boot": ("boot to the first program", 2.0, None),
    "syscall": ("null system call", 1.30, 1),
    "fault": ("page fault, fresh page", 1.20, 2),
    "mmap64": ("mmap + touch 64 + munmap", 1.30, 133),
    "mprotect64": ("mprotect of 64 pages", 1.70, 2),
    "fork": ("fork+exit+wait, small", 1.50, 22),
    "fork4m": ("fork+exit+wait, 4 MB", 1.35, 25),
    "cow": ("copy-on-write fault", 1.30, 3),
    "exec": ("fork+exec+wait", 1.45, 70),
    "pipe": ("pipe, per switch", 1.30, 3.5),
    "signal": ("signal and return", 1.25, 2.1),
    "munmap1024": ("munmap of 1024 pages", 1.18, 6),
    "idle": ("one second of sleep", None, None),
    "compute": ("compute loop, 80 M instructions", 1.005, None),
}

# Of the kernel for amd64, and the same program for it.
LIMITS_AMD64 = {
    "boot": (1.3, None),
    "syscall": (1.15, 1),
    "fault": (1.15, 2),
    "mmap64": (1.15, 132),
    "mprotect64": (1.40, 2),
    "fork": (1.20, 14),
    "fork4m": (1.20, 16),
    "cow": (1.25, 3),
    "exec": (1.15, 28),
    "pipe": (1.15, 3),
    "signal": (1.05, 2.1),
    "munmap1024": (1.10, 4),
    "idle": (None, None),
    "compute": (1.001, None),
}

AMD64 = ["--kernel", harness.AMD64_KERNEL, "--initrd", harness.AMD64_INITRD]

WAYS = {
    "native": ["--native"],
    "vmi": [],
    "nobatch": ["--no-batch"],
    "nativerom": ["--native", "--rom", "build/rom/native.rom"],
    # The kernel for several processors, on one.
    "smpnative": ["--native", "--kernel", harness.SMP_KERNEL],
    "smp": ["--kernel", harness.SMP_KERNEL],
    "native64": ["--native"] + AMD64,
    "vmi64": AMD64,
}

# Most allowed ratio of any operation under native.rom.
NATIVEROM_RATIO = 1.02

LINE = re.compile(r"^bench (\w+) (\d+) (\d+) \d+\s*$", re.M)


def run(way, icount, timeout):
    """One boot: {operation: (ticks, exits)}."""
    arguments = ["--kernel", harness.KERNEL, *harness.GUEST, "--append",
                 "console=ttyS0 panic=-1 quiet nokaslr bench"]
    arguments += WAYS[way] + (["--icount"] if icount else [])
    output = harness.run(arguments, timeout)
    found = {n: (int(t), int(e) / 1000) for n, t, e in LINE.findall(output)}
    missing = [n for n in OPERATIONS if n not in found]
    if missing:
        harness.fail(arguments, f"no figures for {', '.join(missing)}",
                     output)
    return found


def measure(args):
    """{way: {operation: (ticks, exits)}}; ways alternate, medians of all."""
    runs = {way: [] for way in WAYS}
    for i in range(args.runs):
        for way in WAYS:
            start = time.monotonic()
            print(f"bench: {way:10} run {i + 1} of {args.runs} ...",
                  end="", file=sys.stderr, flush=True)
            runs[way].append(run(way, not args.wall, args.timeout))
            print(f" {time.monotonic() - start:.0f} s", file=sys.stderr)
    if args.wall:
        return {way: {op: (statistics.median(r[op][0] for r in rs),
                           rs[0][op][1]) for op in OPERATIONS}
                for way, rs in runs.items()}
    for way, rs in runs.items():
        for r in rs[1:]:
            if r != rs[0]:
                differ = [op for op in OPERATIONS if r[op] != rs[0][op]]
                sys.exit(f"bench: two {way} runs differ in {differ}")
    return {way: rs[0] for way, rs in runs.items()}


def table(results, wall):
    unit = "ticks" if wall else "instructions"
    print(f"\n{unit} per operation; exits per operation\n")
    print(f"{'operation':32}{'native':>12}{'VMI':>12}{'ratio':>8}{'limit':>7}"
          f"{'exits':>9}{'limit':>6}   {'unbatched':>12}{'ratio':>8}"
          f"{'exits':>9}{'native.rom':>12}{'ratio':>8}")
    over = 0
    for op, (what, most_ratio, most_exits) in OPERATIONS.items():
        native, vmi, nobatch, rom = (results[w][op] for w in
                                     ("native", "vmi", "nobatch", "nativerom"))
        ratio = vmi[0] / native[0]
        bad = not wall and (
            (most_ratio is not None and ratio > most_ratio) or
            (most_exits is not None and vmi[1] > most_exits) or
            rom[0] / native[0] > NATIVEROM_RATIO)
        over += bad
        print(f"{what:32}{native[0]:12.0f}{vmi[0]:12.0f}{ratio:8.3f}"
              f"{most_ratio if most_ratio else '':>7}{vmi[1]:9.2f}"
              f"{most_exits if most_exits else '':>6} {'*' if bad else ' '} "
              f"{nobatch[0]:12.0f}{nobatch[0] / native[0]:8.3f}"
              f"{nobatch[1]:9.2f}{rom[0]:12.0f}{rom[0] / native[0]:8.3f}")
    over += table_amd64(results, wall)
    if over:
        print(f"\n* beyond its limit: {over}")
    print(f"\nthe kernel for several processors, on one\n\n"
          f"{'operation':32}{'native':>12}{'VMI':>12}{'ratio':>8}{'exits':>9}")
    for op, (what, _, _) in OPERATIONS.items():
        native, vmi = (results[w][op] for w in ("smpnative", "smp"))
        print(f"{what:32}{native[0]:12.0f}{vmi[0]:12.0f}"
              f"{vmi[0] / native[0]:8.3f}{vmi[1]:9.2f}")


def table_amd64(results, wall):
    """How many rows are beyond their limits. An exit changes CR3 twice, and
    nothing else of the hypervisor's does."""
    print(f"\nthe kernel for amd64, on one\n\n"
          f"{'operation':32}{'native':>12}{'VMI':>12}{'ratio':>8}{'limit':>7}"
          f"{'exits':>9}{'limit':>6}{'CR3 changes':>14}")
    over = 0
    for op, (most_ratio, most_exits) in LIMITS_AMD64.items():
        native, vmi = (results[w][op] for w in ("native64", "vmi64"))
        ratio = vmi[0] / native[0]
        bad = not wall and (
            (most_ratio is not None and ratio > most_ratio) or
            (most_exits is not None and vmi[1] > most_exits))
        over += bad
        print(f"{OPERATIONS[op][0]:32}{native[0]:12.0f}{vmi[0]:12.0f}"
              f"{ratio:8.3f}{most_ratio if most_ratio else '':>7}"
              f"{vmi[1]:9.2f}{most_exits if most_exits else '':>6}"
              f"{2 * vmi[1]:14.2f} {'*' if bad else ''}")
    return over


PLOT = """
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 border -1
set yrange [0:*]
set ylabel "instructions, native = 1"
set grid ytics lc rgb "#cccccc"
set xtics rotate by -35 scale 0
set key top right
set rmargin 16
set title "Linux 6.1 under the VMI ROM: cost of one operation against native"
plot 1 with lines lc rgb "#444444" dt 2 title "native", \\
     "{data}" using 2:xtic(1) title "VMI, batched updates" lc rgb "#2b6ca3", \\
     "" using 3 title "VMI, an exit for every update" lc rgb "#e0964b", \\
     "" using 4 title "the native ROM on bare hardware" lc rgb "#7fb069"
"""


def plot(results):
    lines = []
    for op, (what, _, _) in OPERATIONS.items():
        if op == "idle":
            continue
        native, *others = (results[w][op][0] for w in
                           ("native", "vmi", "nobatch", "nativerom"))
        ratios = " ".join(f"{x / native:.4f}" for x in others)
        lines.append(f'"{what}" {ratios}')
    harness.plot("bench", PLOT, lines)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--wall", action="store_true",
                   help="host time instead of instructions")
    p.add_argument("--runs", type=int,
                   help="boots per way (default 1, with --wall 3)")
    p.add_argument("--timeout", type=int, default=600,
                   help="seconds for one boot (default 600)")
    args = p.parse_args()
    args.runs = args.runs or (3 if args.wall else 1)
    results = measure(args)
    table(results, args.wall)
    print()
    harness.save("wall.json" if args.wall else "results.json",
                 {w: {op: {"ticks": t, "exits": e}
                      for op, (t, e) in r.items()}
                  for w, r in results.items()})
    if not args.wall:
        plot(results)


if __name__ == "__main__":
    main()
