#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the microbenchmark guest under VMI, with batching and without, and
print what each call of the ROM costs and what an update costs in a batch.
The guest is tests/bench/micro; what its lines mean is said there.

Each way runs twice: the two must agree to the digit."""

import argparse
import re
import sys

import harness

WAYS = {
    "vmi": [],
    "nobatch": ["--no-batch"],
}

CALL = re.compile(r"^micro (\d+) (\d+) (\d+) (\d+) (.+?)\s*$", re.M)
BATCH = re.compile(r"^batch (\w+) (\d+) (\d+) (\d+) (\d+) (\d+)\s*$", re.M)
END = re.compile(r"^1\.\.\d+\s*$", re.M)
BAD = re.compile(r"^(?:not ok|#|Bail out!).*", re.M)

PATTERNS = {
    "neighbours": "neighbouring entries",
    "scattered": "each in another table",
}


def run(way, timeout):
    arguments = ["--memory", "64", "--icount", "--kernel",
                 "build/bench/micro.elf"] + WAYS[way]
    output = harness.run(arguments, timeout)
    if BAD.search(output) or not END.search(output):
        harness.fail(arguments, "not all went well", output)
    calls = {what: {"instructions": int(median), "least": int(least),
                    "most": int(most), "exits": int(exits) / 1000}
             for median, least, most, exits, what in CALL.findall(output)}
    batches = {pattern: {} for pattern in PATTERNS}
    for pattern, size, rom, rest, flush, exits in BATCH.findall(output):
        batches[pattern][int(size)] = {
            "rom": int(rom), "drain": int(rest) - int(flush),
            "flush": int(flush), "exits": int(exits)}
    return {"calls": calls, "batches": batches}


def measure(timeout):
    results = {}
    for way in WAYS:
        results[way] = run(way, timeout)
        if run(way, timeout) != results[way]:
            sys.exit(f"bench: two {way} runs of the microbenchmark differ")
    return results


# ---- tables -----------------------------------------------------------------

def call_table(results):
    print("\ninstructions and exits of one call, those of the ROM and the "
          "hypervisor together\n")
    print(f"{'call':50}{'VMI':>8}{'exits':>7}   {'unbatched':>10}{'exits':>7}")
    for what, c in results["vmi"]["calls"].items():
        other = results["nobatch"]["calls"][what]
        same = (c["instructions"], c["exits"]) == (other["instructions"],
                                                   other["exits"])
        print(f"{what:50}{c['instructions']:8}{c['exits']:7.2f}   " +
              ("" if same else
               f"{other['instructions']:10}{other['exits']:7.2f}"))


def per_update(batch, size):
    """ROM, drain, flush; the same unit for all."""
    return [batch[part] / size for part in ("rom", "drain", "flush")]


def batch_table(results):
    print("\ninstructions per update of a page-table entry, in batches that "
          "end with one flush\n")
    print(f"{'':8}{'':8}" + "".join(f"{name:^30}" for name in
                                    PATTERNS.values()) + f"{'unbatched':>18}")
    print(f"{'batch':>8}{'exits':>8}" +
          f"{'ROM':>8}{'drain':>8}{'flush':>7}{'all':>7}" * 2 +
          f"{'exits':>10}{'all':>8}")
    for size in results["vmi"]["batches"]["neighbours"]:
        line = ""
        for pattern in PATTERNS:
            batch = results["vmi"]["batches"][pattern][size]
            parts = per_update(batch, size)
            if not line:
                line = f"{size:8}{batch['exits']:8}"
            line += "{:8.1f}{:8.1f}{:7.1f}{:7.1f}".format(*parts, sum(parts))
        other = results["nobatch"]["batches"]["neighbours"][size]
        print(line + f"{other['exits']:10}"
              f"{sum(per_update(other, size)):8.1f}")


# ---- plot -------------------------------------------------------------------

PLOT = """
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 border -1
set boxwidth 0.5
set yrange [0:*]
set xlabel "page-table entries changed before one TLB flush"
set ylabel "instructions per changed entry"
set grid ytics lc rgb "#cccccc"
set key top right
set title "What changing a page-table entry costs, ROM and hypervisor together"
plot "{data}" using 2:xtic(1) title "ROM: writes the entry, notes it in the queue" lc rgb "#7fb069", \\
     "" using 3 title "hypervisor: brings the shadow entry up to date" lc rgb "#2b6ca3", \\
     "" using 4 title "the flush itself: one exit for all of them" lc rgb "#e0964b", \\
     "" using 0:($2+$3+$4):(sprintf("%.0f", $2+$3+$4)) with labels offset 0,0.7 notitle, \\
     "" using 0:5 with linespoints lw 2 pt 7 lc rgb "#8a4fbf" title "the same, each entry in another page table", \\
     "" using 0:6 with lines lw 2 dt 2 lc rgb "#b03030" title "without batching: an exit for each entry"
"""


def plot(results):
    lines = []
    batches = results["vmi"]["batches"]
    for size, batch in batches["neighbours"].items():
        scattered = sum(per_update(batches["scattered"][size], size))
        other = results["nobatch"]["batches"]["neighbours"][size]
        figures = per_update(batch, size) + [
            scattered, sum(per_update(other, size))]
        lines.append(f"{size} " + " ".join(f"{f:.2f}" for f in figures))
    harness.plot("micro", PLOT, lines)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--timeout", type=int, default=120,
                   help="seconds for one run (default 120)")
    args = p.parse_args()
    results = measure(args.timeout)
    call_table(results)
    batch_table(results)
    print()
    harness.save("micro.json", results)
    plot(results)


if __name__ == "__main__":
    main()
