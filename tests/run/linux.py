#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Linux boots, runs its smoke program and switches off: natively, in VMI
mode, without batching, and with five sizes of memory. The program's output
is the same everywhere."""

import sys
sys.dont_write_bytecode = True
import json
import os

from harness import expect, same, scratch, smoke, test_all, test_one

def smoke_vmi(reference, batch, *options):
    expect(reference, "there is no native result to compare with")
    with scratch() as directory:
        stats = os.path.join(directory, "stats")
        lines = smoke("--stats", stats, *options)
        with open(stats, encoding="ascii") as f:
            stats = json.load(f)
    for ours, theirs in zip(lines, reference):
        same("its output", ours, theirs)
    same("the number of lines", len(lines), len(reference))
    # It was really VMI mode, and batches exactly when it should.
    same("the number of VMI_Init calls",
         stats["vmi_calls_that_exited"].get("Init"), 1)
    entries, drains = stats["queue_entries"], stats["queue_drains"]
    expect(entries > 10000, f"{entries} queue entries")
    if batch:
        expect(entries > 2 * drains, f"{entries} entries in {drains} drains")
    else:
        same("entries per drain", entries / drains, 1.0)


def main():
    reference = test_one("smoke natively", smoke, "--native")
    tests = [("smoke natively with 64 MB", lambda: same(
        "its output", smoke("--native", "--memory", "64"), reference))]
    for memory in ("64", "128", "256", "1024", "2048"):
        tests.append((f"smoke with {memory} MB", smoke_vmi, reference, True,
                      "--memory", memory))
    tests.append(("smoke without batching", smoke_vmi, reference, False,
                  "--no-batch"))
    tests.append(("smoke with every shadow entry verified", smoke_vmi,
                  reference, True, "--verify"))
    test_all(tests)


main()
