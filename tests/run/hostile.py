#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A hostile user inside Linux: tests/hostile, and tests/hostile64 for 64 bits,
attack as uid 1000, natively and under the hypervisor, with each kernel. Each
attack gets the same everywhere; behind each of them the program has looked at
what the kernel owes to others."""

import sys
sys.dont_write_bytecode = True
import re

from harness import (AMD64, INITRD, KERNEL_PAE, Failed, expect, result, same, tail,
                     test_one, vmi_run)

HOSTILE = "console=ttyS0 hostile panic=-1"
ATTACKS, ATTACKS64 = 170, 250

# What differs under the hypervisor, and why. A processor refuses an IRET to beyond
# its segment's limit, and so does the hypervisor when it carries one out because
# an event has come; TCG does not.
DIFFERENT = {
    "end_call": r"((SEGV 13/0|ILL 32/0) \+7(, |$)){3}",
    # no SYSENTER into Linux (STUB-14), as on a processor without it
    "sysenter": r"SEGV 13/0 \+15",
    # nobody keeps bits 31-16 of ESP (guest-linux/README.md)
    "stack16": r"SEGV 14/4 ss f esp 12345000 eax 0|"
               r"TRAP 3/0 ss 7b esp 0 eax [0-9a-f]*5000",
    "stack16_call": r"TRAP 3/0 ss 7b esp 0 eax [0-9a-f]*5000",
}

# CR4.UMIP is the hypervisor's: its tables are not the process's business.
UMIP = r"SEGV 13/0 \+."
IRET = r"SEGV (14/4|13/0)"
BEYOND = r"SEGV (14/14|13/0) at 7ffff7ff...."
DIFFERENT64 = {
    "sgdt": UMIP, "sidt": UMIP, "smsw": UMIP, "sldt": UMIP, "str": UMIP,
    # as Intel's processors have them, whatever the machine is
    "sysexit": r"SEGV 13/0 \+0",
    "sysexitq": r"SEGV 13/0 \+0",
    "sysenter": IRET,
    "step_sysenter": rf"2 steps, {IRET} .*",
    # on to an address above 4 GB, which natively SYSRETL cuts; see above
    "sysenter32": IRET,
    "step_sysenter32": rf"6 steps, {IRET} .*",
    "call32_syscall": BEYOND,
    "call32_syscall_bad": BEYOND,
}


def results(console, least=ATTACKS):
    """By name what each attack got."""
    lines = re.findall(r"^hostile: (.*?)\r?$", console, re.M)
    for line in lines:
        expect(not line.startswith("FAILED"), line)
    expect(lines and lines[-1].startswith("OK after"), "it ends with "
           + tail("\n".join(lines) or console))
    got = dict(line.split(": ", 1) for line in lines[:-1])
    expect(len(got) >= least, f"only {len(got)} attacks")
    return got


def compare(reference, got, name, different):
    """Under the hypervisor: a result for each attack that got another."""
    wrong = 0
    for attack, what in reference.items():
        try:
            mine = got.get(attack)
            if attack in different:
                expect(mine and re.fullmatch(different[attack], mine),
                       f"{attack} got {mine!r}")
            else:
                same(attack, mine, what)
        except Failed as why:
            result(f"{name}, {attack}", str(why))
            wrong += 1
    expect(not wrong, f"{wrong} attacks got something else")


def attacks(least, *options):
    run = vmi_run("--append", HOSTILE, *options)
    expect(run.returncode == 0, f"status {run.returncode}: "
           + tail(run.stderr or run.stdout))
    return results(run.stdout, least)


def under(reference, name, least, different, *options):
    expect(reference, "there is no native result to compare with")
    compare(reference, attacks(least, *options), name, different)


def kernel(name, least, different, *options):
    reference = test_one(f"{name} natively", attacks, least, "--native",
                         *options)
    test_one(name, under, reference, name, least, different, *options)


def main():
    kernel("hostile user", ATTACKS, DIFFERENT)
    kernel("hostile user with PAE", ATTACKS, DIFFERENT,
           "--kernel", KERNEL_PAE, "--initrd", INITRD)
    kernel("hostile user of 64 bits", ATTACKS64, DIFFERENT64, *AMD64)


if __name__ == "__main__":
    main()
