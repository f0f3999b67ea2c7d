#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Introspection from outside: Linux with several processors, and from its first
instructions on, with what LibVMI does."""

import sys
sys.dont_write_bytecode = True
import struct
import subprocess

from harness import (AMD64, INITRD, KERNEL, KERNEL_PAE, NO_STALLS, expect,
                     no_complaint, same, scratch)
import kvmi_tool as kvmi
from kvmi_loop import test_some
from kvmi_tool import Machine, R, RWX, W, pf_of, vcpu


def prompt(machine, line, text):
    machine.process.stdin.write(line + b"\n")
    machine.process.stdin.flush()
    machine.until(text)


PAGE_MODES = {  # of LibVMI: size of an entry, bits of each level's index
    "legacy": (4, (10, 10)), "PAE": (8, (2, 9, 9)), "IA-32e": (8, (9,) * 4)}


def page_mode(regs):
    """As LibVMI finds it, by what vmi_init() reads."""
    expect(regs["cr0"] >> 31, "no paging")
    if not regs["cr4"] & 0x20:
        return "legacy"
    return "IA-32e" if regs["efer"] & 0x100 else "PAE"


def walk(tool, regs, gva):
    """The tables, read a page at a time."""
    size, levels = PAGE_MODES[page_mode(regs)]
    mask = (1 << 52) - (1 << 12)
    table = regs["cr3"] & (mask if size == 8 and len(levels) > 3 else
                           0xffffffe0 if size == 8 else 0xfffff000)
    shift = 12 + sum(levels)
    for level, bits in enumerate(levels):
        shift -= bits
        at = table + (gva >> shift & (1 << bits) - 1) * size
        page = tool.read(at & ~0xfff)
        entry = int.from_bytes(page[at & 0xfff:][:size], "little")
        expect(entry & 1, f"{gva:#x} is not mapped")
        if entry & 0x80 and shift > 12 and (size == 4 or level):
            break
        table = entry & mask
    return (entry & mask & ~((1 << shift) - 1)) | gva & (1 << shift) - 1


BASES = (0xc0000100, 0xc0000101)        # FS and GS
XSAVE_X87 = 576                         # bytes that XCR0 = 1 takes


def off(tool, first):
    """What another vCPU has loaded is not of the one that is off."""
    same("the switch", tool.switch(kvmi.EV_XSETBV), 0)
    tool.reply(first)
    event = tool.event()
    tool.reply(event)
    event = tool.event()            # a second one, of all that it has found
    running, sleeping = (tool.registers(nr, BASES)["msrs"] for nr in (0, 1))
    expect(running[1][1], "Linux has not set the GS base yet")
    same("its bases", sleeping, [(msr, 0) for msr in BASES])
    sizes = [struct.unpack_from("<I", tool.cpuid(0xd, nr=nr)[1], 4)[0]
             for nr in (0, 1, 0)]
    expect(sizes[0] > XSAVE_X87, "Linux has not set XCR0 yet")
    same("bytes for XSAVE", sizes, [sizes[0], XSAVE_X87, sizes[0]])
    same("the switch", tool.switch(kvmi.EV_XSETBV, False), 0)
    tool.reply(event)


def watched_boot(mode, *options):
    """What a processor does when it is started; then LibVMI's way to memory."""
    with scratch() as directory, Machine(
            directory, *options, "--cpus", "2", "--append",
            "console=ttyS0 panic=-1", stdin=subprocess.PIPE,
            qemu="-cpu max") as machine:
        tool = machine.tool()
        # It boots meanwhile, and is to come no further than it is.
        first = tool.pause()
        tool.libvmi_init()
        for event in (kvmi.EV_CPUID, kvmi.EV_DESC, kvmi.EV_XSETBV):
            same("the switch", tool.switch(event, nr=1), 0)
        entries = [0xc0000082, 0xc0000083]
        for msr in entries:
            same("the switch", tool.control_msr(msr, nr=1), 0)
        if mode == "IA-32e":
            off(tool, first)
        else:
            tool.reply(first)
        want = {("table", n) for n in (1, 2, 4)} | {"CPUID"}
        told = {}
        if mode == "IA-32e":
            want |= set(entries) | {"XSETBV"}
        while want:
            event = tool.event()
            same("which vCPU", event.vcpu, 1)
            value = b""
            if event.id == kvmi.EV_DESC:
                want.discard(("table", event.data[0]))
            elif event.id == kvmi.EV_CPUID:
                leaf, sub, length = struct.unpack("<IIB7x", event.data)
                same("its length", length, 2)
                same("GET_CPUID", len(tool.get(kvmi.CPUID, vcpu(1) + struct.pack(
                    "<II", leaf, sub))), 16)
                want.discard("CPUID")
            elif event.id == kvmi.EV_XSETBV:
                want.discard("XSETBV")
            elif event.id == kvmi.EV_MSR:
                msr, old, told[msr] = struct.unpack("<I4xQQ", event.data)
                want.discard(msr)
                same("until the answer", tool.registers(1, (msr,))["msrs"],
                     [(msr, old)])
                value = event.data[16:]
            tool.reply(event, data=value)
        same("what was set", dict(tool.registers(1, told)["msrs"]), told)
        tool.socket.close()
        machine.until(b"/ # ")
        tool = machine.tool()
        tool.libvmi_init()
        event = tool.pause()
        regs = tool.registers(msrs=kvmi.MSRS)
        same("the page mode", page_mode(regs), mode)
        for gva in (regs["idt"], regs["rsp"]):
            same(f"where {gva:#x} is", walk(tool, regs, gva),
                 tool.translate(gva))
        tool.reply(event)
        prompt(machine, b"poweroff -f", b"Power down")
        same("the status", machine.end(), 0)
        no_complaint(machine.output.decode("ascii", "replace"))


def linux(cpus):
    """What hookguest does: all vCPUs paused at once, CR, MSR and page faults, of
    pages where they all run."""
    with scratch() as directory, Machine(
            directory, "--kernel", KERNEL, "--initrd", INITRD, "--cpus",
            str(cpus), "--host-cpus", "2", "--append",
            "console=ttyS0 panic=-1 " + NO_STALLS,
            stdin=subprocess.PIPE) as machine:
        tool = machine.tool()
        tool.libvmi_init()
        same("vCPUs", tool.vcpus, cpus)
        machine.until(b"/ # ")
        batch = tool.message(kvmi.RESPONSE, b"\0\1" + bytes(6))
        for nr in range(cpus):
            batch += tool.message(kvmi.PAUSE, vcpu(nr) + bytes(8))
        tool.send(batch + tool.message(kvmi.RESPONSE, b"\1\1" + bytes(6)))
        same("the answer", tool.answer(kvmi.RESPONSE)[0], 0)
        events = [tool.wait_for(kvmi.EV_PAUSE) for _ in range(cpus)]
        same("who is paused", sorted(event.vcpu for event in events),
             list(range(cpus)))
        # What each system call runs, and what a stack leads to, which may run again.
        gate = tool.read(tool.translate(events[0].sregs["idt"] + 8 * 0x80), 8)
        entry = tool.translate(int.from_bytes(gate[:2] + gate[6:], "little")) & ~0xfff
        text = {entry: R | W}
        for event in events:
            same("CR3", tool.control_cr(3, nr=event.vcpu), 0)
            stack = tool.translate(event.regs["rsp"], event.vcpu)
            size = min(256, 4096 - stack % 4096) & ~3
            for word, in struct.iter_unpack("<I", tool.read(stack, size)):
                if 0xc1000000 <= word < 0xc1300000:
                    text[tool.translate(word, event.vcpu) & ~0xfff] = R | W
        same("the error", tool.access(*text.items()), 0)
        for event in events:
            tool.reply(event)
        machine.process.stdin.write(b"while ls /proc/self/; do :; done >/dev/null &\n")
        machine.process.stdin.flush()
        kinds = {}
        while kinds.get(kvmi.EV_PF, 0) <= 256:
            event = tool.event()
            kinds[event.id] = kinds.get(event.id, 0) + 1
            gpa = pf_of(event)[1] & ~0xfff if event.id == kvmi.EV_PF else entry
            if gpa != entry and kinds[event.id] % 64 == 0:
                same("the error", tool.access((gpa, RWX)), 0)
                tool.reply(event, kvmi.RETRY, bytes(272))
            else:
                tool.reply(event, data=event.data[16:24]
                           if event.id == kvmi.EV_CR else b"")
        tool.socket.close()
        prompt(machine, b"kill $!; echo $((2+3))", b"5\r\n")
        tool = machine.tool()
        event = tool.pause(cpus - 1)
        tool.reply(event)
        prompt(machine, b"poweroff -f", b"Power down")
        same("the status", machine.end(), 0)
        no_complaint(machine.output.decode("ascii", "replace"))


def main():
    tests = [("Linux", linux, 1), ("Linux, three processors", linux, 3)]
    tests += [(f"Linux that is started, {mode}", watched_boot, mode, *options)
              for mode, *options in (
                  ("legacy", "--kernel", KERNEL, "--initrd", INITRD),
                  ("PAE", "--kernel", KERNEL_PAE, "--initrd", INITRD),
                  ("IA-32e", *AMD64))]
    test_some(tests)


main()
