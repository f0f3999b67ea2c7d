#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot the Linux benchmark natively and under VMI with every instruction
counted (profile.c), and print where the instructions of one operation are:
by privilege level, by reason of the exit, by function. Without an operation,
all of the run from reset to power off.

The counts of each instruction go to build/bench/profile-OPERATION-WAY.txt."""

import argparse
import bisect
import collections
import os
import re
import struct
import subprocess
import sys
import tempfile

import harness
from bench import OPERATIONS

HYPERVISOR = "build/hv/hypervisor64.elf"
ROM = "build/rom/stub.elf"
ROM_IMAGE = "build/rom/stub.rom"
KERNEL = "build/linux-up/src/vmlinux"

KERNEL_BASE, HYPERVISOR_BASE = 0xc0000000, 1 << 32
USER_BASE = 0x08000000      # where programs are linked; boot code is below
REGIONS = ("user", "guest kernel", "ROM", "hypervisor", "firmware, loaders")
WAYS = {"native": ["--native"], "vmi": []}

EXCEPTIONS = {0: "#DE", 1: "#DB", 3: "#BP", 6: "#UD", 7: "#NM", 11: "#NP",
              12: "#SS", 13: "#GP", 14: "#PF", 16: "#MF", 19: "#XM"}
SYSCALL, HYPERCALL = 0x80, 0x82
SLOT = 64                   # STUB-10
SLOTS = range(0x200, 0x200 + 75 * SLOT)
HANDLER = re.compile(r"asm_|entry_INT80|irq_entries|vmi_.*entry")


# ---- symbols ----------------------------------------------------------------

class Symbols:
    """Functions by address; parts of one (GCC's x.part.0, NASM's x.y) are
    one function, and so is all that is in a slot of the ROM."""

    def __init__(self, path, base=0, slots=range(0)):
        if not os.path.exists(path):
            sys.exit(f"profile: {path} is not there: make all builds it")
        names = {}
        nm = subprocess.run(["nm", path], text=True, check=True,
                            capture_output=True)
        for line in nm.stdout.splitlines():
            address, kind, name = line.rsplit(maxsplit=2)
            if name.endswith(".slot"):
                name = "jump to a call in C"
            at = int(address, 16)
            if at in slots and (at - slots.start) % SLOT:
                continue
            if kind in "tTwW" and name[0] != ".":
                names.setdefault(at + base, name.split(".")[0])
        self.starts = sorted(names)
        self.names = names

    def find(self, address):
        """(function, offset)."""
        i = bisect.bisect_right(self.starts, address) - 1
        if i < 0:
            return "?", address
        return self.names[self.starts[i]], address - self.starts[i]

    def address(self, name):
        return next(a for a, n in self.names.items() if n == name)


def virtual_top():
    with open(ROM_IMAGE, "rb") as f:
        return struct.unpack_from("<I", f.read(32), 16)[0]


class Machine:
    def __init__(self):
        self.top = virtual_top()
        self.symbols = {"hypervisor": Symbols(HYPERVISOR),
                        "ROM": Symbols(ROM, self.top, SLOTS),
                        "guest kernel": Symbols(KERNEL)}
        self.stubs = self.symbols["hypervisor"].address("exit_stubs")
        with open("hypervisor-stub/include/host.h", encoding="ascii") as f:
            self.irq_base = int(re.search(r"#define\s+IRQ_BASE\s+(\w+)",
                                          f.read())[1], 0)

    def region(self, address):
        if address >= HYPERVISOR_BASE:
            return "hypervisor"
        if address >= 0xffff0000:
            return "firmware, loaders"
        if address >= self.top:
            return "ROM"
        if address >= KERNEL_BASE:
            return "guest kernel"
        return "user" if address >= USER_BASE else "firmware, loaders"

    def function(self, address):
        """(region, name, offset)."""
        region = self.region(address)
        if region not in self.symbols:
            return region, "", address
        return (region,) + self.symbols[region].find(address)

    def reason(self, entry, site, landing):
        """Why the guest was left, in words."""
        if self.function(entry)[1] == "nmi_entry":
            return "NMI"
        vector = (entry - self.stubs) // 16
        if not 0 <= vector < 256:
            return "start of the machine"
        if vector == HYPERCALL:
            if site < self.top:     # in the image that the scan found
                return "hypercall in Init"
            name = self.symbols["ROM"].find(site)[0]
            return "hypercall in " + name.removeprefix("rom_")
        if vector == SYSCALL:
            return "system call (int 0x80)"
        to_guest = landing and HANDLER.match(self.function(landing)[1])
        if vector in EXCEPTIONS:
            what = EXCEPTIONS[vector]
        elif 0 <= vector - self.irq_base < 16:
            what = f"interrupt {vector - self.irq_base}"
        else:
            what = f"vector {vector}"
        return what + (", to the guest's handler" if to_guest else
                       ", the guest goes on")


# ---- one run ----------------------------------------------------------------

class Profile:
    """Of one way: counts of instructions and exits, in total."""

    def __init__(self, machine, way, operation, timeout):
        append = "console=ttyS0 panic=-1 quiet nokaslr bench"
        if operation:
            append += " only=" + operation
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "profile")
            output = harness.run(["--kernel", harness.KERNEL, *harness.GUEST,
                                  "--icount", "--profile", path, "--append",
                                  append] + WAYS[way], timeout)
            self.read(machine, path, bool(operation))
        self.operations = 1
        if operation:
            line = re.search(rf"^bench {operation} \d+ \d+ (\d+)", output,
                             re.M)
            if not line or not self.windows:
                harness.fail(["profile"], f"{operation} did not run", output)
            self.operations = self.windows * int(line[1])

    def read(self, machine, path, inside):
        self.instructions = {}
        self.exits = {}
        with open(path, encoding="ascii") as f:
            for line in f:
                kind, *fields = line.split()
                if kind == "windows":
                    self.windows = int(fields[0])
                elif kind == "insn":
                    count = int(fields[2 if inside else 1])
                    if count:
                        self.instructions[int(fields[0], 16)] = count
                elif not inside or fields[3] == "1":
                    self.add_exit(machine.reason(
                        *(int(x, 16) for x in fields[:3])),
                        *map(int, fields[4:]))

    def add_exit(self, reason, count, total, least, most):
        old = self.exits.get(reason, (0, 0, least, most))
        self.exits[reason] = (old[0] + count, old[1] + total,
                              min(old[2], least), max(old[3], most))

    def by(self, key):
        """Instructions per operation, by key(address)."""
        sums = collections.Counter()
        for address, count in self.instructions.items():
            sums[key(address)] += count
        return {k: n / self.operations for k, n in sums.items()}


# ---- what is printed --------------------------------------------------------

def figure(x):
    return f"{x:.1f}" if abs(x) < 1000 else f"{x:.0f}"


def print_regions(machine, native, vmi):
    print(f"\n{'where':24}{'native':>14}{'VMI':>14}{'more':>14}")
    a, b = native.by(machine.region), vmi.by(machine.region)
    for region in REGIONS:
        x, y = a.get(region, 0), b.get(region, 0)
        if x or y:
            print(f"{region:24}{figure(x):>14}{figure(y):>14}"
                  f"{figure(y - x):>14}")
    x, y = sum(a.values()), sum(b.values())
    print(f"{'all':24}{figure(x):>14}{figure(y):>14}{figure(y - x):>14}"
          f"   ratio {y / x:.3f}")


def print_exits(vmi):
    print(f"\n{'exit':50}{'exits':>11}{'instructions':>14}{'mean':>10}"
          f"{'least':>10}{'most':>10}")
    rows = sorted(vmi.exits.items(), key=lambda r: -r[1][1])
    for reason, (count, total, least, most) in rows:
        print(f"{reason:50}{count / vmi.operations:11.2f}"
              f"{figure(total / vmi.operations):>14}{total / count:10.0f}"
              f"{least:10}{most:10}")
    count = sum(r[1][0] for r in rows)
    total = sum(r[1][1] for r in rows)
    if count:
        print(f"{'all':50}{count / vmi.operations:11.2f}"
              f"{figure(total / vmi.operations):>14}{total / count:10.0f}")


def print_functions(machine, native, vmi, top):
    def key(address):
        return machine.function(address)[:2]
    a, b = native.by(key), vmi.by(key)
    print(f"\nthe {top} functions that VMI costs most in\n"
          f"{'function':50}{'native':>14}{'VMI':>14}{'more':>14}")
    more = {f: b.get(f, 0) - a.get(f, 0) for f in a.keys() | b.keys()}
    for f in sorted(more, key=lambda f: (-more[f], f))[:top]:
        name = f"{f[1]} ({f[0]})" if f[1] else f[0]
        print(f"{name:50}{figure(a.get(f, 0)):>14}{figure(b.get(f, 0)):>14}"
              f"{figure(more[f]):>14}")


def write_addresses(machine, profile, path):
    with open(path, "w", encoding="ascii") as f:
        f.write("# per operation, address, function + offset, part\n")
        for address, count in sorted(profile.instructions.items()):
            region, name, offset = machine.function(address)
            place = f"{name}+{offset:#x}" if name else "-"
            f.write(f"{count / profile.operations:14.3f} {address:#x} "
                    f"{place} {region}\n")
    print(path)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("operation", nargs="?",
                   choices=[op for op in OPERATIONS if op != "boot"],
                   help="what to look at (default: all of the run)")
    p.add_argument("--top", type=int, default=30,
                   help="functions to print (default 30)")
    p.add_argument("--timeout", type=int, default=1200,
                   help="seconds for one boot (default 1200)")
    args = p.parse_args()
    machine = Machine()
    native, vmi = (Profile(machine, way, args.operation, args.timeout)
                   for way in WAYS)
    if args.operation:
        print(f"{OPERATIONS[args.operation][0]}: instructions per operation, "
              f"mean of {vmi.operations}")
    else:
        print("the whole run: instructions from reset to power off")
    print_regions(machine, native, vmi)
    print_exits(vmi)
    print_functions(machine, native, vmi, args.top)
    print()
    os.makedirs(harness.FOLDER, exist_ok=True)
    for way, profile in (("native", native), ("vmi", vmi)):
        write_addresses(machine, profile, os.path.join(
            harness.FOLDER, f"profile-{args.operation or 'all'}-{way}.txt"))


if __name__ == "__main__":
    main()
