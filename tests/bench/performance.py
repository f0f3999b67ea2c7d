#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Put the figures of the last "make bench" into spec/performance.md: each
table goes between its two marks, the text stays. The plots are copied beside
it. The exits of each operation come from profiles, taken now."""

import json
import os
import re
import sys

import harness
import micro
import profile
import smp
from bench import LIMITS_AMD64, OPERATIONS

PAGE = "spec/performance.md"
LICENCE = "SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause"
SEEN = 0.005                # exits per operation; fewer are not shown


def load(name):
    path = os.path.join(harness.FOLDER, name)
    if not os.path.exists(path):
        sys.exit(f"performance: no {path}: make bench comes first")
    with open(path, encoding="ascii") as f:
        return json.load(f)


def table(head, rows):
    """The first column is text, the others are figures."""
    lines = ["| " + " | ".join(head) + " |",
             "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def limit(x):
    return "" if x is None else str(x)


def linux():
    results = load("results.json")
    rows = []
    for op, (what, ratio, exits) in OPERATIONS.items():
        native, vmi, nobatch, rom = (results[w][op] for w in
                                     ("native", "vmi", "nobatch", "nativerom"))
        one = native["ticks"]
        rows.append([
            what, f"{one:,}", f"{vmi['ticks']:,}",
            f"**{vmi['ticks'] / one:.3f}**", limit(ratio),
            f"{vmi['exits']:.2f}", limit(exits),
            f"{nobatch['ticks'] / one:.3f}", f"{nobatch['exits']:.2f}",
            f"{rom['ticks'] / one:.3f}"])
    return table(["operation", "native", "VMI", "ratio", "limit", "exits",
                  "limit", "unbatched: ratio", "exits",
                  "native ROM: ratio"], rows)


def smp_kernel():
    results = load("results.json")
    rows = []
    for op, (what, _, _) in OPERATIONS.items():
        native, vmi = (results[w][op] for w in ("smpnative", "smp"))
        rows.append([what, f"{native['ticks']:,}", f"{vmi['ticks']:,}",
                     f"**{vmi['ticks'] / native['ticks']:.3f}**",
                     f"{vmi['exits']:.2f}"])
    return table(["operation", "native", "VMI", "ratio", "exits"], rows)


def amd64():
    results = load("results.json")
    rows = []
    for op, (ratio, exits) in LIMITS_AMD64.items():
        native, vmi = (results[w][op] for w in ("native64", "vmi64"))
        rows.append([OPERATIONS[op][0], f"{native['ticks']:,}",
                     f"{vmi['ticks']:,}",
                     f"**{vmi['ticks'] / native['ticks']:.3f}**",
                     limit(ratio), f"{vmi['exits']:.2f}", limit(exits),
                     f"{2 * vmi['exits']:.2f}"])
    return table(["operation", "native", "VMI", "ratio", "limit", "exits",
                  "limit", "CR3 changes"], rows)


def processors():
    rows = []
    for what, native, vmi, ratio, exits in smp.rows(load("smp.json")):
        rows.append([what] + [f"{x:,.0f}" for x in native + vmi] +
                    [f"**{ratio:.3f}**"] + [f"{x:.2f}" for x in exits])
    return table(["operation", "native: CPU 0", "CPU 1", "VMI: CPU 0",
                  "CPU 1", "ratio", "exits: CPU 0", "CPU 1"], rows)


def calls():
    results = load("micro.json")
    other = results["nobatch"]["calls"]
    rows = []
    for what, c in results["vmi"]["calls"].items():
        n = other[what]
        differs = (n["instructions"], n["exits"]) != (c["instructions"],
                                                      c["exits"])
        rows.append([what, f"{c['instructions']:,}", f"{c['exits']:.0f}",
                     f"{n['instructions']:,}" if differs else "",
                     f"{n['exits']:.0f}" if differs else ""])
    return table(["call", "instructions", "exits", "unbatched", "exits"],
                 rows)


def batches():
    results = load("micro.json")
    vmi, nobatch = (results[w]["batches"] for w in ("vmi", "nobatch"))
    rows = []
    for size in vmi["neighbours"]:
        n = int(size)
        parts = micro.per_update(vmi["neighbours"][size], n)
        scattered = sum(micro.per_update(vmi["scattered"][size], n))
        other = nobatch["neighbours"][size]
        rows.append([f"{n:,}", str(vmi["neighbours"][size]["exits"])] +
                    [f"{x:.1f}" for x in parts + [sum(parts), scattered]] +
                    [f"{other['exits']:,}",
                     f"{sum(micro.per_update(other, n)):.1f}"])
    return table(["updates", "exits", "ROM", "drain", "flush", "all",
                  "each in another table", "unbatched: exits", "all"], rows)


def exits():
    machine = profile.Machine()
    rows = []
    for op, (what, _, _) in OPERATIONS.items():
        if op in ("boot", "compute"):
            continue
        p = profile.Profile(machine, "vmi", op, 600)
        for reason, (count, total, _, _) in sorted(
                p.exits.items(), key=lambda r: -r[1][1]):
            if count / p.operations < SEEN:
                continue
            rows.append([what, reason.replace("#", r"\#"),
                         f"{count / p.operations:.2f}",
                         f"{total / count:,.0f}",
                         f"{total / p.operations:,.0f}"])
            what = ""
    return table(["operation", "exit", "exits", "instructions each",
                  "instructions"], rows)


def copy_plot(name):
    """With a licence line behind the XML declaration."""
    path = os.path.join("spec", name)
    with open(os.path.join(harness.FOLDER, name), encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("?>\n", f"?>\n<!-- {LICENCE} -->\n", 1))
    print(path)


def main():
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    for name, make in (("linux", linux), ("amd64", amd64),
                       ("smp kernel", smp_kernel),
                       ("processors", processors), ("calls", calls),
                       ("batches", batches), ("exits", exits)):
        page, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda m, text=make(): m[1] + text + "\n" + m[2], page,
            flags=re.S)
        if found != 1:
            sys.exit(f"performance: {PAGE} has no place for {name}")
    for plot in ("bench.svg", "micro.svg"):
        copy_plot(plot)
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(page)
    print(PAGE)


if __name__ == "__main__":
    main()
