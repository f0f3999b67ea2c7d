#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A hostile user inside Linux: tests/hostile attacks as uid 1000, natively and
under the hypervisor, with both kernels. Each attack gets the same everywhere;
behind each of them the program has looked at what the kernel owes to others."""

import sys
sys.dont_write_bytecode = True
import re

from harness import (INITRD, KERNEL_PAE, Failed, expect, result, same, tail,
                     test_one, vmi_run)

HOSTILE = "console=ttyS0 hostile panic=-1"
ATTACKS = 170

# What differs under the hypervisor, and why.
DIFFERENT = {
    # no SYSENTER into Linux (STUB-14), as on a processor without it
    "sysenter": r"SEGV 13/0 \+15",
    # nobody keeps bits 31-16 of ESP (guest-linux/README.md)
    "stack16": r"SEGV 14/4 ss f esp 12345000 eax 0|"
               r"TRAP 3/0 ss 7b esp 0 eax [0-9a-f]*5000",
    "stack16_call": r"TRAP 3/0 ss 7b esp 0 eax [0-9a-f]*5000",
}


def results(console):
    """By name what each attack got."""
    lines = re.findall(r"^hostile: (.*?)\r?$", console, re.M)
    for line in lines:
        expect(not line.startswith("FAILED"), line)
    expect(lines and lines[-1].startswith("OK after"), "it ends with "
           + tail("\n".join(lines) or console))
    got = dict(line.split(": ", 1) for line in lines[:-1])
    expect(len(got) >= ATTACKS, f"only {len(got)} attacks")
    return got


def compare(reference, got, name):
    """Under the hypervisor: a result for each attack that got another."""
    wrong = 0
    for attack, what in reference.items():
        try:
            mine = got.get(attack)
            if attack in DIFFERENT:
                expect(mine and re.fullmatch(DIFFERENT[attack], mine),
                       f"{attack} got {mine!r}")
            else:
                same(attack, mine, what)
        except Failed as why:
            result(f"{name}, {attack}", str(why))
            wrong += 1
    expect(not wrong, f"{wrong} attacks got something else")
    expect(any(a.startswith("vm86_") for a in got), "no vm86_ attack")


def attacks(*options):
    run = vmi_run("--append", HOSTILE, *options)
    expect(run.returncode == 0, f"status {run.returncode}: "
           + tail(run.stderr or run.stdout))
    return results(run.stdout)


def under(reference, name, *options):
    expect(reference, "there is no native result to compare with")
    compare(reference, attacks(*options), name)


def kernel(name, *options):
    reference = test_one(f"{name} natively", attacks, "--native", *options)
    test_one(name, under, reference, name, *options)


def main():
    kernel("hostile user")
    kernel("hostile user with PAE", "--kernel", KERNEL_PAE, "--initrd", INITRD)


if __name__ == "__main__":
    main()
