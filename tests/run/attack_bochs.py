#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Cases of tests/attack in Bochs, which checks segment limits, privileges and
paging as a processor does and QEMU's TCG does not (or the cases that are
named): seven attackers at once,
each a guest of its own, and the bystander. Their lines would mix on the serial
port, so a case that fails ends its guest by a hypercall that does not exist
("strict"); the hypervisor's log says who ended how."""

import sys
sys.dont_write_bytecode = True
import os
import re
import subprocess

import attack
from harness import (BUILD, HANG, Failed, expect, result, same, scratch, tail,
                     test_all)
from iso import Machine, bochs_command

FILES = ("hypervisor-stub.elf", "tests/attack.elf", "rom/stub.rom")
AT_ONCE = 7
KEYS = "0123456789abdfghijklmnopqrstuwxyz"      # c, e and v are GRUB's

# What TCG does not check, and what is quick.
CHOSEN = re.compile(
    r"ss0_.*|esp0_.*|badgate_.*|badidt_.*|int3|user_int|insb|watch.*|"
    r"cr0_bits|iobp|general_detect|dr6|bus.*|rom_write|recursive|table_maps_itself|"
    r"code_64.*|code_conforming|call_gate.*|task_gate|interrupt_gate|tss_32|"
    r"ldt_descriptor|ring0_.*|tables_.*|stihlt|hlt0|vm86_.*|"
    r"stack_user_(int80|fault|irq|step)_(absent|edge|read_only|crossing)|"
    r"stack_kernel_(fault|irq|iret)_(absent|edge|read_only|crossing)|"
    r"insn_(sgdt|sldt|smsw|lmsw|ltr|lldt|mov_.*|write_cr.*|sys.*|icebp|"
    r"insb|outsb|rdmsr_none|wrmsr_none|swapgs|vmcall|clgi|monitor)|"
    r"user_(int_.*|fault_kinds|bus|apic)|cs_limit_.*|espfix_.*|iret_ss|"
    r"user_vm86_(int|int3|pf|gp|spin)_(hv|hv3|kernel|user)|user_vm86_cli|"
    r"user_area|emulated_stores|call_stores|iret_middle|user_tables|"
    r"pae_(write|table.*|directory.*|reserved|recursive|roles|hole|straddle)|"
    r"guess_(write|cr3|table)|fpu|(pae_)?straddle_.*|"
    r"ends|hc_iret_.*")

ENTRY = """menuentry "{key}" --hotkey={key} {{
\tmultiboot /boot/hypervisor-stub.elf
{guests}}}
"""
GUEST = ("\tmodule /boot/attack.elf role=kernel memory={memory} name=attack.elf "
         "-- case={case} strict=1\n")
ROM = "\tmodule /boot/stub.rom role=rom name=stub.rom\n"


def groups(cases):
    """By the key that starts them."""
    parts = [cases[i:i + AT_ONCE] for i in range(0, len(cases), AT_ONCE)]
    expect(len(parts) <= len(KEYS), "too many cases")
    return dict(zip(KEYS, parts))


def make_iso(directory, parts):
    boot = os.path.join(directory, "iso/boot")
    os.makedirs(boot + "/grub")
    for name in FILES:
        os.link(os.path.join(BUILD, name),
                os.path.join(boot, os.path.basename(name)))
    with open(boot + "/grub/grub.cfg", "w", encoding="ascii") as f:
        f.write("serial --unit=0 --speed=115200\n"
                "terminal_input serial\nterminal_output serial\n"
                "set timeout=-1\n")
        for key, cases in parts.items():
            guests = [GUEST.format(memory=36, case=case.name)
                      for case in cases]
            guests.append(GUEST.format(memory=16, case="bystander"))
            guests.insert(1, ROM)
            f.write(ENTRY.format(key=key, guests="".join(guests)))
    iso = os.path.join(directory, "attack.iso")
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o",
                           iso, os.path.join(directory, "iso")],
                          capture_output=True, text=True, check=False)
    same("the status of grub-mkrescue", done.returncode, 0)
    return iso


def bochs(iso):
    return lambda directory, port: bochs_command(directory, iso, port, 768)


def run(iso, key):
    """The machine's words on port E9h, when it has ended by itself."""
    with scratch() as directory:
        machine = Machine(bochs(iso), directory)
        try:
            machine.until("GNU GRUB")
            machine.type(key)
            while machine.console.recv(4096):
                pass
            same("the status of the machine",
                 machine.process.wait(float(HANG)), 1)
        finally:
            machine.end()
        with open(os.path.join(directory, "out"), encoding="ascii",
                  errors="replace") as f:
            return f.read()


def judge(case, report):
    if not case.end_checked:
        same("its end", report, None)
    elif case.end_checked != attack.ANY:
        expect(report and re.fullmatch(case.end_checked, report),
               f"its end is {report!r}")


def one(iso, key, cases):
    said = run(iso, key)
    expect("panic" not in said, "panic: " + tail(said))
    deaths = dict(re.findall(r"^guest (\d) died: (.*?)\r?$", said, re.M))
    for n, case in enumerate(cases):
        try:
            judge(case, deaths.get(str(n + 1)))
        except Failed as why:
            result(case.name, str(why))
        else:
            result(case.name)
    same("the bystander's end", deaths.get(str(len(cases) + 1)), None)


def main():
    parts = groups(attack.chosen_cases(sys.argv[1:], CHOSEN))
    with scratch() as directory:
        iso = make_iso(directory, parts)
        test_all([("bystander of " + " ".join(case.name for case in part),
                   one, iso, key, part) for key, part in parts.items()])


if __name__ == "__main__":
    main()
