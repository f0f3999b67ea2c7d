#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Introspection from outside (spec/introspection.md), by a tool of our own: a loop of
a few instructions, the same in 32-bit and 64-bit code, of which each event is known,
and Linux with several processors."""

import sys
sys.dont_write_bytecode = True
import json
import os
import socket
import struct
import subprocess
import threading
import time

from harness import (AMD64, BUILD, HANG, INITRD, KERNEL, KERNEL_PAE, VMI_RUN, expect,
                     no_complaint, same, scratch, tail, test_all, write)
import kvmi_tool as kvmi
from kvmi_tool import Closed, Machine, R, RWX, W, X, vcpu
sys.path.append(os.path.dirname(VMI_RUN))
from vmi_run import introspect

# ---- the loop ---------------------------------------------------------------

BASE = 0x1000000
DATA, STACK = BASE + 0x1000, BASE + 0x3000
SYSENTER_CS = 0x174

# As bytes that mean the same in both modes; by name, where they are.
LOOP = [("esi", b"\xbe" + struct.pack("<I", DATA)),
        ("esp", b"\xbc" + struct.pack("<I", STACK)),
        ("read", b"\x8a\x06"),              # mov al, [esi]
        ("add", b"\x04\x01"),               # add al, 1
        ("write", b"\x88\x06"),             # mov [esi], al
        ("lidt", b"\x0f\x01\x5e\x40"),      # lidt [esi + 64]
        ("pushf", b"\x9c"),
        ("pop", b"\x5b"),                   # pop ebx
        ("ecx", b"\xb9" + struct.pack("<I", SYSENTER_CS)),
        ("edx", b"\x31\xd2"),               # xor edx, edx
        ("wrmsr", b"\x0f\x30"),
        ("lldt", b"\x0f\x00\xd2"),          # lldt dx
        ("from_cr3", b"\x0f\x20\xd8"),      # mov eax, cr3
        ("xor", b"\x83\xf0\x08"),           # xor eax, 8
        ("to_cr3", b"\x0f\x22\xd8"),        # mov cr3, eax
        ("count", b"\xff\x46\x04"),         # inc dword [esi + 4]
        ("jump", b"\xeb")]
AT = {}
CODE = b""
for NAME, BYTES in LOOP:
    AT[NAME] = BASE + len(CODE)
    CODE += BYTES
CODE += struct.pack("b", AT["read"] - AT["jump"] - 2)
AROUND = [name for name, _ in LOOP[2:]]     # once


def elf32():
    header = struct.pack("<4s5B7xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 0,
                         2, 3, 1, BASE, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 84, BASE, BASE, len(CODE), 0x4000, 7, 4)
    return header + segment + CODE


def elf64():
    header = struct.pack("<4s5B7xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 0,
                         2, 62, 1, BASE, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 120, BASE, BASE, len(CODE),
                          0x4000, 8)
    return header + segment + CODE


def loop(directory, wide, *options):
    kernel = write(directory, "kernel", elf64() if wide else elf32())
    return Machine(directory, "--memory", "64", "--kernel", kernel,
                   "--initrd", "", *options)


class Paused:
    """The loop at a known instruction: paused, and stepped to there."""

    def __init__(self, machine, name):
        self.machine = machine
        self.tool = tool = machine.tool()
        self.first = tool.libvmi_init()
        event = tool.pause()
        same("stepping", tool.step(), 0)
        tool.reply(event)
        self.event = tool.wait_for(kvmi.EV_STEP)
        while self.event.regs["rip"] != AT[name]:
            tool.reply(self.event)
            self.event = tool.wait_for(kvmi.EV_STEP)
        same("stepping no more", tool.step(False), 0)


def counter(tool):
    return struct.unpack("<I", tool.read(DATA + 4, 4))[0]


def runs(tool):
    """The guest does."""
    before = counter(tool)
    while counter(tool) == before:
        pass


def with_loop(wide, function, *options):
    with scratch() as directory, loop(directory, wide, *options) as machine:
        function(machine)


def paused(wide, name, function):
    with scratch() as directory, loop(directory, wide) as machine:
        here = Paused(machine, name)
        function(here, here.tool, here.event)


# ---- commands ---------------------------------------------------------------

def init(machine):
    tool = machine.tool()
    same("its name", tool.name, "guest")
    regs = tool.libvmi_init()
    same("vCPUs and frames", (tool.vcpus, tool.frames), (1, 64 << 8))
    wide = regs["mode"] == 8
    same("CR0.PG, CR4.PAE, EFER.LME",
         (regs["cr0"] >> 31, regs["cr4"] >> 5 & 1, regs["efer"] >> 8 & 1),
         (wide, wide, wide))
    same("the ring", regs["cs"]["dpl"], 0)
    same("MSRs", [index for index, _ in regs["msrs"]], list(kvmi.MSRS))
    event = tool.pause()
    regs = tool.registers()
    same("its registers", {name: regs[name] for name in kvmi.REGS},
         event.regs)
    tool.reply(event)
    runs(tool)


def commands(machine):
    """Those that are there, and what is refused."""
    tool = machine.tool()
    for command in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 17, 18, 19, 21, 27,
                    29, 34, 37, 39, 63):
        same(f"command {command}", tool.ask(
            kvmi.CHECK_COMMAND, struct.pack("<H6x", command))[0], 0)
    for command in (12, 20, 25, 64, 0xffff):
        same(f"command {command}", tool.ask(
            kvmi.CHECK_COMMAND, struct.pack("<H6x", command))[0], kvmi.EINVAL)
        same(f"command {command}", tool.ask(command, bytes(8))[0],
             kvmi.ENOSYS)
    for event in range(16):
        same(f"event {event}", tool.ask(
            kvmi.CHECK_EVENT, struct.pack("<H6x", event))[0],
            0 if event < 14 and event != 12 else kvmi.EINVAL)
    refused = [
        (kvmi.EINVAL, kvmi.GET_REGS, vcpu(1) + bytes(8)),
        (kvmi.EINVAL, kvmi.GET_REGS, b"\0\0\1\0\0\0\0\0" + bytes(8)),
        (kvmi.EINVAL, kvmi.GET_REGS, vcpu(0)),
        (kvmi.EINVAL, kvmi.GET_REGS, vcpu(0) + struct.pack("<HHI", 9, 0, 0)),
        (kvmi.EINVAL, kvmi.GET_REGS, b"\0"),
        (kvmi.EINVAL, kvmi.PAUSE, vcpu(0) + b"\2" + bytes(7)),
        (kvmi.EINVAL, kvmi.PAUSE, vcpu(0) + b"\1\1" + bytes(6)),
        (kvmi.EOPNOTSUPP, kvmi.SET_REGS, vcpu(0) + bytes(144)),
        (kvmi.EINVAL, kvmi.VM_EVENTS, struct.pack("<HB5x", 1, 1)),
        (kvmi.EINVAL, kvmi.EVENTS, vcpu(0) + struct.pack("<HB5x", 0, 1)),
        (kvmi.EINVAL, kvmi.EVENTS, vcpu(0) + struct.pack("<HB5x", 14, 1)),
        (kvmi.EINVAL, kvmi.EVENTS, vcpu(0) + struct.pack("<HB5x", 1, 2)),
        (kvmi.EINVAL, kvmi.CR, vcpu(0) + struct.pack("<BBHI", 1, 0, 0, 2)),
        (kvmi.EINVAL, kvmi.MSR, vcpu(0) + struct.pack("<BBHI", 1, 0, 0,
                                                      0x2000)),
        (kvmi.EINVAL, kvmi.MSR, vcpu(0) + struct.pack("<BBHI", 1, 0, 0,
                                                      0xc0002000)),
        (kvmi.EINVAL, kvmi.READ, struct.pack("<QQ", DATA, 0)),
        (kvmi.EINVAL, kvmi.READ, struct.pack("<QQ", DATA, 4097)),
        (kvmi.EINVAL, kvmi.READ, struct.pack("<QQ", DATA + 1, 4096)),
        (kvmi.EINVAL, kvmi.READ, struct.pack("<QQ", DATA, 1 << 63)),
        (kvmi.ENOENT, kvmi.READ, struct.pack("<QQ", 64 << 20, 1)),
        (kvmi.ENOENT, kvmi.READ, struct.pack("<QQ", (1 << 64) - 4096, 4096)),
        (kvmi.ENOENT, kvmi.WRITE, struct.pack("<QQB", 64 << 20, 1, 0)),
        (kvmi.EOPNOTSUPP, kvmi.ACCESS, struct.pack("<HHI", 1, 0, 0)),
        (kvmi.EINVAL, kvmi.ACCESS, struct.pack("<HHI", 0, 1, 0)),
        (kvmi.EINVAL, kvmi.ACCESS, struct.pack("<HHIQB7x", 0, 1, 0, 0, 8)),
        (kvmi.ENOENT, kvmi.ACCESS, struct.pack("<HHIQB7x", 0, 1, 0, 64 << 20,
                                               1)),
        (kvmi.EINVAL, kvmi.STEP, vcpu(0) + b"\2" + bytes(7)),
        (kvmi.EINVAL, kvmi.INJECT, vcpu(0) + b"\x20" + bytes(15)),
    ]
    for error, command, body in refused:
        same(f"the error of command {command}, {body[:24].hex()}",
             tool.ask(command, body)[0], error)
    unsupported = [(command, vcpu(0)) for command in (16, 28, 32, 33, 36, 38,
                                                      60)]
    for command, body in unsupported + [(22, b""), (24, b""), (26, b"")]:
        same(f"command {command}", tool.ask(command, body + bytes(24))[0],
             kvmi.EOPNOTSUPP)
    # Replies have the most bytes that they can have, or that error.
    most = (8184 - 8 - 472) // 16
    for count in (0, 1, most):
        same("its MSRs", len(tool.registers(msrs=[0x174] * count)["msrs"]),
             count)
    same("too many", tool.ask(kvmi.GET_REGS, vcpu(0) + struct.pack(
        "<HHI", most + 1, 0, 0) + bytes(4 * most + 4))[0], kvmi.ENOMEM)
    # As the guest finds it.
    same("the signature", tool.cpuid(0x40000000)[1][4:], b"OpenVMI\0stub")
    expect(tool.cpuid(1)[1][11] & 0x80, "no hypervisor")
    for leaf in (0x3fffffff, 0x40010000, 0x8000ffff, 0xffffffff):
        same("no leaf", tool.cpuid(leaf)[0], kvmi.ENOENT)
    same("its memory", [tool.ask(kvmi.QUERY, struct.pack("<Q", gfn)) for gfn
                        in (5, 64 << 8)],
         [(0, struct.pack("<QQ", 0, 64 << 8)), (kvmi.ENOENT, b"")])
    same("its view", tool.get(kvmi.EPT_VIEW, vcpu(0)), bytes(8))
    same("XCR0", tool.get(kvmi.XCR, vcpu(0) + bytes(8)), struct.pack("<Q", 1))
    same("XCR1", tool.ask(kvmi.XCR, vcpu(0) + b"\1" + bytes(7))[0],
         kvmi.EINVAL)
    # More than is known is left out.
    same("a long GET_GUEST_INFO", len(tool.get(kvmi.GUEST_INFO, bytes(8184))),
         16)
    runs(tool)


def memory(machine):
    tool = machine.tool()
    page = bytes(range(256)) * 16
    at = 0x3000000
    tool.write(at, page)
    same("a page", tool.read(at), page)
    tool.write(at + 4095, b"x")
    same("a part of it", tool.read(at + 4090, 6), page[4090:4095] + b"x")
    same("the code", tool.read(BASE, len(CODE)), CODE)


def batches(machine):
    """As kvmi_pause_all_vcpus() does it, in one piece and byte by byte."""
    tool = machine.tool()
    for piece in (1 << 20, 1):
        batch = tool.message(kvmi.RESPONSE, b"\0\1" + bytes(6))
        batch += tool.message(kvmi.PAUSE, vcpu(0) + bytes(8))
        batch += tool.message(kvmi.RESPONSE, b"\1\1" + bytes(6))
        for i in range(0, len(batch), piece):
            tool.send(batch[i:i + piece])
        same("the answer", tool.answer(kvmi.RESPONSE)[0], 0)
        tool.reply(tool.wait_for(kvmi.EV_PAUSE))
    # The old state is that of the answer, unless the message says "now".
    same("events about errors", tool.ask(kvmi.RESPONSE, b"\0\0\1" + bytes(5))[0],
         kvmi.EOPNOTSUPP)
    same("more flags", tool.ask(kvmi.RESPONSE, b"\0\0\2" + bytes(5))[0],
         kvmi.EINVAL)
    tool.send(tool.message(kvmi.RESPONSE, bytes(8)))
    same("off later", tool.answer(kvmi.RESPONSE)[0], 0)
    tool.send(tool.message(kvmi.PAUSE, vcpu(0) + bytes(8)))
    tool.send(tool.message(kvmi.RESPONSE, b"\1" + bytes(7)))
    same("the version", tool.ask(kvmi.VERSION)[0], 0)
    tool.reply(tool.wait_for(kvmi.EV_PAUSE))
    # Several to be told of are told one by one.
    for _ in range(3):
        same("a pause", tool.ask(kvmi.PAUSE, vcpu(0) + bytes(8))[0], 0)
    for _ in range(3):
        tool.reply(tool.wait_for(kvmi.EV_PAUSE))
    # While one is told.
    event = tool.pause()
    errors = [tool.ask(kvmi.PAUSE, vcpu(0) + bytes(8))[0] for _ in range(1002)]
    same("those that wait", errors, 1001 * [0] + [kvmi.EBUSY])
    for _ in range(1001):
        tool.reply(event)
        event = tool.wait_for(kvmi.EV_PAUSE)
    tool.reply(event)
    runs(tool)


def many_quiet(tool):
    """More at once than are carried out in one turn, and no answer in between whose
    way could bring the vCPU back."""
    batch = tool.message(kvmi.RESPONSE, b"\0\1" + bytes(6))
    batch += b"".join(tool.message(kvmi.VM_EVENTS, bytes(8)) for _ in range(100))
    batch += tool.message(kvmi.RESPONSE, b"\1\1" + bytes(6))
    tool.send(batch)
    same("the answer to the last", tool.answer(kvmi.RESPONSE)[0], 0)


def quiet(machine):
    tool = machine.tool()
    many_quiet(tool)
    event = tool.pause()
    many_quiet(tool)
    tool.reply(event)
    runs(tool)


# ---- events -----------------------------------------------------------------

def step(here, tool, event):
    """Each instruction once, and no sign of it in the flags that it stores."""
    same("stepping", tool.step(), 0)
    for name in (AROUND[1:] + AROUND[:1]) * 20:
        tool.reply(event)
        event = tool.wait_for(kvmi.EV_STEP)
        same("the next instruction", event.regs["rip"], AT[name])
        same("TF", event.regs["rflags"] & 0x100, 0)
        if name == "ecx":
            same("TF as it was stored", event.regs["rbx"] & 0x100, 0)
    same("stepping no more", tool.step(False), 0)
    tool.reply(event)
    runs(tool)


SYSCALLS = b"\x0f\x05", b"\x66\x0f\x05", b"\x48\x0f\x05", b"\xf3\x2e\x0f\x05"


def step_syscall(here, tool, event):
    """It has an exit of its own then, and is the same with any prefix."""
    code = b"".join(b"\xb9" + struct.pack("<I", msr)       # mov ecx, msr
                    + b"\xba" + struct.pack("<I", high)    # mov edx, high
                    + b"\xb8" + struct.pack("<I", low)     # mov eax, low
                    + b"\x0f\x30"                          # wrmsr
                    for msr, high, low in (
                        (0xc0000080, 0, 0x501),     # EFER.SCE, too
                        (0xc0000081, tool.registers()["cs"]["selector"], 0),
                        (0xc0000082, 0, BASE)))     # LSTAR
    there = AT["jump"] + 2
    tool.write(there, code + b"".join(SYSCALLS))
    regs = dict(event.regs, rip=there)
    same("setting RIP", tool.set_registers(regs), 0)
    same("stepping", tool.step(), 0)
    there += len(code)
    while event.regs["rip"] != there:
        tool.reply(event)
        event = tool.wait_for(kvmi.EV_STEP)
    for text in SYSCALLS:
        regs = dict(event.regs, rip=there, rflags=0xad7)
        there += len(text)
        same("setting RIP", tool.set_registers(regs), 0)
        tool.reply(event)
        event = tool.wait_for(kvmi.EV_STEP)
        same(text.hex(), [event.regs[name] for name in ("rip", "rcx", "r11")],
             [BASE, there, 0xad7])
    same("the status", here.machine.process.poll(), None)


def request(here, tool, event):
    """It is told at the instruction; the answer leads behind it."""
    there = AT["jump"] + 2
    tool.write(there, b"\x0f\x01\xc1\xeb\xfe")     # vmcall; jmp $
    args = ("rdi", "rsi") if tool.registers()["mode"] == 8 else ("rbx", "rcx")
    same("switching it on", tool.switch(kvmi.EV_HYPERCALL), 0)
    for action in (kvmi.CONTINUE, kvmi.RETRY):
        regs = dict(event.regs, rip=there, rax=34, **dict(zip(args, (24, 0))))
        same("setting the call", tool.set_registers(regs), 0)
        tool.reply(event)
        event = tool.wait_for(kvmi.EV_HYPERCALL)
        same("told", [event.regs[name] for name in ("rip", "rax") + args],
             [there, 34, 24, 0])
        same("until the answer", tool.registers()["rip"], there)
        tool.reply(event, action)
        event = tool.pause()
        same("behind it", [event.regs[name] for name in ("rip", "rax", "rdx")],
             [there + 3, 0, 0xdeadbeef])
    same("the status", here.machine.process.poll(), None)


def registers(here, tool, event):
    regs = dict(event.regs, rax=0x12345677, rip=AT["add"])
    same("setting them", tool.set_registers(regs), 0)
    same("until the answer", tool.registers()["rip"], AT["read"])
    same("stepping", tool.step(), 0)
    tool.reply(event)
    event = tool.wait_for(kvmi.EV_STEP)
    same("RIP and RAX", (event.regs["rip"], event.regs["rax"]),
         (AT["write"], 0x12345678))
    # With the answer it waits no more.
    same("stepping no more", tool.step(False), 0)
    tool.send(struct.pack("<HHI", kvmi.REPLY, 16, event.seq) + vcpu(0)
              + struct.pack("<BBHI", kvmi.CONTINUE, event.id, 0, 0)
              + tool.message(kvmi.SET_REGS, vcpu(0) + bytes(144)))
    same("too late", tool.answer(kvmi.SET_REGS)[0], kvmi.EOPNOTSUPP)
    runs(tool)


def pf_of(event):
    gva, gpa, access = struct.unpack_from("<QQB", event.data)
    return gva, gpa, access


def pf_next(tool, name, address, access):
    event = tool.wait_for(kvmi.EV_PF)
    same("it", (event.regs["rip"],) + pf_of(event),
         (AT[name], address, address, access))
    return event


def page_write(here, tool, event):
    """CONTINUE does it, and the page is closed again."""
    same("the error", tool.access((DATA + 0xff8, R | X)), 0)
    tool.reply(event)
    for _ in range(10):
        event = pf_next(tool, "write", DATA, W)
        before = tool.read(DATA, 1)[0]
        tool.reply(event, data=bytes(272))
        event = pf_next(tool, "count", DATA + 4, W)
        same("what was written", tool.read(DATA, 1)[0], (before + 1) % 256)
        tool.reply(event)
    # RETRY does not.
    event = pf_next(tool, "write", DATA, W)
    tool.reply(event, kvmi.RETRY)
    event = pf_next(tool, "write", DATA, W)
    same("the error", tool.access((DATA, RWX)), 0)
    tool.reply(event, kvmi.RETRY)
    runs(tool)


def page_read(here, tool, event):
    """No access at all; and no reads, which views refuse by refusing all."""
    same("the error", tool.access((DATA, 0)), 0)
    tool.reply(event)
    for name, address, access in [("read", 0, R), ("write", 0, W),
                                  ("count", 4, R)] * 3:
        event = tool.wait_for(kvmi.EV_PF)
        same("it", (event.regs["rip"], pf_of(event)[0]),
             (AT[name], DATA + address))
        if name != "count":     # it reads and writes
            same("the access", pf_of(event)[2], access)
        tool.reply(event)
    event = tool.wait_for(kvmi.EV_PF)
    same("the error", tool.access((DATA, W | X)), 0)
    tool.reply(event)
    for _ in range(6):
        event = tool.wait_for(kvmi.EV_PF)
        same("the access", pf_of(event)[2], R)
        expect(event.regs["rip"] in (AT["read"], AT["count"]),
               f"RIP is {event.regs['rip']:#x}")
        tool.reply(event)


def page_execute(here, tool, event):
    same("the error", tool.access((BASE, R | W)), 0)
    tool.reply(event)
    for name in AROUND * 3:
        tool.reply(pf_next(tool, name, AT[name], X))
    event = tool.wait_for(kvmi.EV_PF)
    same("the error", tool.access((BASE, RWX)), 0)
    tool.reply(event, kvmi.RETRY)
    runs(tool)


def many_pages(here, tool, event):
    """More than are dropped one by one, some twice; the stack among them."""
    pages = [(at, R | X) for at in range(BASE, BASE + 0x4000, 0x1000)] * 32
    same("the error", tool.access(*pages), 0)
    tool.reply(event)
    for name, address in [("write", DATA), ("pushf", None),
                          ("count", DATA + 4)] * 3:
        event = tool.wait_for(kvmi.EV_PF)
        same("where", event.regs["rip"], AT[name])
        if address:
            same("what", pf_of(event)[0], address)
        tool.reply(event)
    tool.wait_for(kvmi.EV_PF)


def breakpoint_(here, tool, event):
    tool.write(AT["edx"], b"\xcc")
    same("the switch", tool.switch(kvmi.EV_BP), 0)
    tool.reply(event)
    for _ in range(2):
        event = tool.wait_for(kvmi.EV_BP)
        same("where, and how long",
             (event.regs["rip"],) + struct.unpack("<QB7x", event.data),
             (AT["edx"], AT["edx"], 1))
        tool.reply(event, kvmi.RETRY)
    event = tool.wait_for(kvmi.EV_BP)
    tool.write(AT["edx"], b"\x31")
    tool.reply(event, kvmi.RETRY)
    runs(tool)
    # CONTINUE is for the guest, which has no IDT: so PCs are reset.
    tool.write(AT["edx"], b"\xcc")
    tool.reply(tool.wait_for(kvmi.EV_BP))
    same("the status", here.machine.end(), 0)


def register_event(here, tool, event, what, control, number, name):
    same("the switch", control(number), 0)
    tool.reply(event)
    last = None
    for _ in range(4):
        event = tool.wait_for(what)
        found, old, new = struct.unpack("<IIQQ", event.data)[0:1] + \
            struct.unpack("<8xQQ", event.data)
        same("where, and what", (event.regs["rip"], found), (AT[name], number))
        expect(old != new, "it does not change")
        if last is not None:
            same("what it was", old, last)
        last = new
        tool.reply(event, data=struct.pack("<Q", new))
    # Another value.
    event = tool.wait_for(what)
    old, new = struct.unpack("<8xQQ", event.data)
    same("the value", new not in (0x40, old), True)
    value = old ^ 0x10
    # As libkvmi's clients do it: the registers that they were told.
    same("RIP until the answer", tool.registers()["rip"], AT[name])
    same("setting them", tool.set_registers(event.regs), 0)
    before = counter(tool)
    tool.reply(event, data=struct.pack("<Q", value))
    event = tool.wait_for(what)
    same("what it was", struct.unpack_from("<Q", event.data, 8)[0], value)
    same("how often it was done", counter(tool) - before, 1)
    same("the switch", control(number, False), 0)
    tool.reply(event, data=struct.pack("<Q", old))
    runs(tool)


def cr3_event(here, tool, event):
    register_event(here, tool, event, kvmi.EV_CR, tool.control_cr, 3, "to_cr3")


def msr_event(here, tool, event):
    register_event(here, tool, event, kvmi.EV_MSR, tool.control_msr,
                   SYSENTER_CS, "wrmsr")


def descriptor(here, tool, event):
    """CONTINUE does it, RETRY tells again."""
    same("the switch", tool.switch(kvmi.EV_DESC), 0)
    tool.reply(event)
    for name, which in [("lidt", 1), ("lldt", 3)] * 3:
        for action in (kvmi.RETRY, kvmi.CONTINUE):
            event = tool.wait_for(kvmi.EV_DESC)
            same("where, and what",
                 (event.regs["rip"],) + struct.unpack("<BB6x", event.data),
                 (AT[name], which, 1))
            tool.reply(event, action)
    event = tool.wait_for(kvmi.EV_DESC)
    same("setting RIP", tool.set_registers(dict(event.regs, rip=AT["edx"])), 0)
    tool.reply(event, kvmi.RETRY)
    event = tool.wait_for(kvmi.EV_DESC)
    same("where", event.regs["rip"], AT["lldt"])
    same("the switch", tool.switch(kvmi.EV_DESC, False), 0)
    tool.reply(event)
    runs(tool)


def inject(here, tool, event):
    body = vcpu(0) + struct.pack("<BBHIQ", 13, 0, 0, 8, 0)
    same("the error", tool.ask(kvmi.INJECT, body)[0], 0)
    same("a second", tool.ask(kvmi.INJECT, body)[0], kvmi.EBUSY)
    tool.reply(event)
    event = tool.wait_for(kvmi.EV_TRAP)
    same("it", struct.unpack("<B3xIQ", event.data), (13, 8, 0))
    tool.reply(event)
    try:        # there is no IDT
        while True:
            tool.receive()
    except Closed:
        pass
    same("the status", here.machine.end(), 3)


def not_started(machine):
    """A vCPU that is off has no exceptions, but pauses; and CRASH ends the guest."""
    tool = machine.tool()
    same("an exception", tool.ask(kvmi.INJECT, vcpu(1) + struct.pack(
        "<BBHIQ", 6, 0, 0, 0, 0))[0], kvmi.EAGAIN)
    for _ in range(2):
        same("the error", tool.ask(kvmi.PAUSE, vcpu(1) + bytes(8))[0], 0)
    for _ in range(2):
        event = tool.wait_for(kvmi.EV_PAUSE)
        same("who is paused", event.vcpu, 1)
        tool.reply(event)
    runs(tool)
    tool.reply(tool.pause(1), kvmi.CRASH)
    same("the status", machine.end(), 3)


def crash(here, tool, event):
    """It dies while commands are on their way."""
    tool.reply(event, kvmi.CRASH)
    try:
        for _ in range(1000):
            tool.send(tool.message(kvmi.GET_REGS, vcpu(0) + bytes(8)) +
                      tool.message(kvmi.PAUSE, vcpu(0) + bytes(8)))
    except Closed:
        pass
    same("the status", here.machine.end(), 3)
    expect(b"guest died: the introspection tool ends it" in
           here.machine.output, tail(here.machine.output.decode()))


# ---- connections ------------------------------------------------------------

def lost(machine):
    """All restrictions go with it, and who waits goes on."""
    tool = machine.tool()
    tool.libvmi_init()
    event = tool.pause()
    same("errors", (tool.access((DATA, 0), (STACK - 1, 0)),
                    tool.control_cr(3), tool.control_msr(SYSENTER_CS),
                    tool.step()), (0, 0, 0, 0))
    tool.reply(event)
    tool.event()
    tool.socket.close()
    tool = machine.tool()
    runs(tool)
    before = tool.pause().regs
    same("the error", tool.set_registers(dict(before, rdi=before["rdi"] + 1)), 0)
    tool.socket.close()
    tool = machine.tool()
    runs(tool)
    same("RDI, which an answer would have set", tool.registers()["rdi"],
         before["rdi"])


def broken(machine):
    """What ends the connection; the guest runs on, and the next is there."""
    reply = struct.pack("<BBHI", 0, kvmi.EV_PAUSE, 0, 0)
    bad = [
        lambda tool: tool.send(struct.pack("<HHI", 2, 8185, 1)),
        lambda tool: tool.send(tool.message(kvmi.WRITE, struct.pack(
            "<QQ", DATA, 2) + b"x")),
        lambda tool: tool.send(tool.message(kvmi.RESPONSE, b"\1\0\0\1"
                                            + bytes(4))),
        lambda tool: tool.send(tool.message(kvmi.RESPONSE, b"\1")),
        lambda tool: tool.send(tool.message(kvmi.EVENT)),
        # No event waits; then one does, but not for this.
        lambda tool: tool.send(struct.pack("<HHI", 0, 16, 1) + vcpu(0)
                               + reply),
        lambda tool: (tool.pause(), tool.send(
            struct.pack("<HHI", 0, 16, 2) + vcpu(0) + reply)),
        lambda tool: (tool.pause(), tool.send(
            struct.pack("<HHI", 0, 15, 1) + vcpu(0) + reply[:-1])),
        lambda tool: (tool.pause(), tool.send(
            struct.pack("<HHI", 0, 24, 1) + vcpu(0) + reply + bytes(8))),
        lambda tool: (tool.pause(), tool.send(
            struct.pack("<HHI", 0, 16, 1) + vcpu(0) + b"\0\x0a\1"
            + bytes(5))),
        lambda tool: (tool.pause(), tool.send(
            struct.pack("<HHI", 0, 16, 1) + vcpu(1) + reply)),
        # Quiet, but it must have an answer.
        lambda tool: tool.send(
            tool.message(kvmi.RESPONSE, b"\0\1" + bytes(6)) +
            tool.message(kvmi.VERSION)),
        lambda tool: tool.send(
            tool.message(kvmi.RESPONSE, b"\0\1" + bytes(6)) +
            tool.message(99)),
    ]
    for n, function in enumerate(bad):
        tool = machine.tool()
        function(tool)
        try:
            while True:
                tool.receive()
        except Closed:
            pass
        except kvmi.struct.error as error:
            expect(False, f"bad message {n}: {error}")
        tool.socket.close()
    for size in (0, 23, 65537, 0xffffffff):
        tool = machine.accept()
        tool.hello(struct.pack("<I", size))
        try:
            tool.take(1)
            expect(False, f"an answer of size {size} is taken")
        except Closed:
            pass
    # A long one is passed over.
    tool = machine.accept()
    tool.hello(struct.pack("<I", 65536) + bytes(65532))
    runs(tool)


def unread(machine):
    """Commands without end, whose answers a tool takes in its time: all come."""
    tool = machine.tool()
    first, count = tool.seq + 1, 15000
    commands = b"".join(tool.message(kvmi.READ, struct.pack("<QQ", BASE, 4096))
                        for _ in range(count))
    sender = threading.Thread(target=tool.send, args=(commands,))
    sender.start()
    for seq in range(first, first + count):
        what, found, data = tool.receive()
        same("the answer", (what, found, len(data)), (kvmi.READ, seq, 8 + 4096))
    sender.join()
    runs(tool)


def declined(machine):
    """A tool that ends each connection has one in a second."""
    machine.accept().socket.close()
    begin = time.monotonic()
    for _ in range(3):
        machine.accept().socket.close()
    expect(time.monotonic() - begin >= 2, "it came back at once")
    runs(machine.tool())


def gone():
    """That the guest has gone comes in one piece with the end of its connection, or
    when a connection is half made. Nobody is connected until it is back."""
    ends = {"CLOSE": bytes(4), "GONE": b"\xff\xff\xff\xff",
            "BACK": b"\xfe\xff\xff\xff"}
    with scratch() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(directory, "tool")
        listener.bind(path)
        listener.listen()
        listener.settimeout(float(HANG))
        channel = introspect.Channel(path)
        with socket.socket(fileno=channel.fd) as machine:
            channel.start()
            for words in (["CLOSE", "GONE"], ["GONE"]):
                with listener.accept()[0] as tool:
                    same("OPEN", machine.recv(4), b"\xff\xff\xff\xff")
                    machine.sendall(b"".join(ends[word] for word in words))
                    same("the tool gets", tool.recv(1), b"")
                    same("CLOSE", machine.recv(4), bytes(4))
                listener.settimeout(2)
                try:
                    expect(not listener.accept(), "it connects again")
                except TimeoutError:
                    listener.settimeout(float(HANG))
                machine.sendall(ends["BACK"] +
                                ends["CLOSE"] * ("CLOSE" not in words))
            with listener.accept()[0]:
                same("OPEN", machine.recv(4), b"\xff\xff\xff\xff")
        channel.join(10)
        expect(not channel.is_alive(), "it goes on")


def managed_by(lines, command, guest):
    """The answer by --control."""
    lines.write(json.dumps({"command": command, "guest": guest}).encode() + b"\n")
    lines.flush()
    return json.loads(lines.readline())


def started_by_a_manager():
    """One that has gone, and that somebody starts again."""
    with scratch() as directory:
        kernel = write(directory, "kernel", elf32())
        control = os.path.join(directory, "control")
        other = os.path.join(BUILD, "tests/neighbour.elf")
        with Machine(directory, "--control", control, "--guest",
                     f"kernel={other},initrd=,memory=16,append=light=900000",
                     "--guest", f"kernel={kernel},initrd=,append=,memory=64,"
                     "introspect=on") as machine:
            tool = machine.tool()
            tool.reply(tool.pause(), kvmi.CRASH)
            same("behind it", tool.socket.recv(1), b"")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(control)
                lines = client.makefile("rwb")
                answer = {"error": {"errno": "EBUSY"}}
                # It is on its way out.
                while answer.get("error", {}).get("errno") == "EBUSY":
                    answer = managed_by(lines, "start", 1)
                same("start", answer, {"return": {"guest": 1}})
            next_tool = machine.tool()
            expect(next_tool.start > tool.start, "it has not a later start")
            runs(next_tool)


def again():
    """A guest that starts again is another one, also within a second."""
    with scratch() as directory:
        kernel = write(directory, "kernel", elf32())
        with Machine(directory, "--guest", f"kernel={kernel},initrd=,append=,"
                     "memory=64,starts=4,introspect=on") as machine:
            starts = []
            for _ in range(4):
                tool = machine.tool()
                starts.append((tool.uuid, tool.start))
                same("the error", tool.access((DATA, 0)), 0)
                runs(tool)
                tool.reply(tool.pause(), kvmi.CRASH)
                tool.socket.close()
            same("the status", machine.end(), 3)
        same("UUIDs", len({uuid for uuid, _ in starts}), 1)
        expect(all(one[1] < next[1] for one, next in zip(starts, starts[1:])),
               f"start times are {[start for _, start in starts]}")


def several():
    """Of two guests the one that is to be."""
    with scratch() as directory:
        kernels = [write(directory, name, data) for name, data in
                   (("32", elf32()), ("64", elf64()))]
        guests = [f"kernel={kernel},initrd=,append=,memory=64,"
                  f"console={directory}/out{n}"
                  for n, kernel in enumerate(kernels)]
        with Machine(directory, "--guest", guests[0], "--guest",
                     guests[1] + ",introspect=on") as machine:
            tool = machine.tool()
            same("its name", tool.name, "guest 2")
            same("its mode", tool.registers()["mode"], 8)
            runs(tool)
        os.unlink(os.path.join(directory, "tool"))
        with Machine(directory, *[word for guest in guests for word in
                                  ("--guest", guest + ",introspect=on")]) \
                as machine:
            tools = [machine.tool(), machine.tool()]
            same("their names", {tool.name for tool in tools},
                 {"guest 1", "guest 2"})
            same("both UUIDs", len({tool.uuid for tool in tools}), 2)
            for tool in tools:
                event = tool.pause()
                runs(tools[tool is tools[0]])
                tool.reply(event)


def managed(wide):
    """A guest that stands still by --control is looked at all the same, whether its
    processor was in the guest or held by an event."""
    with scratch() as directory:
        path = os.path.join(directory, "control")
        with loop(directory, wide, "--control", path) as machine, \
                socket.socket(socket.AF_UNIX) as control:
            tool = machine.tool()
            control.connect(path)
            lines = control.makefile("rwb")

            def manage(command):
                same(command, managed_by(lines, command, 0), {"return": {}})

            runs(tool)
            manage("pause")
            regs, before = tool.registers(), counter(tool)
            expect(BASE <= regs["rip"] < BASE + len(CODE), "a strange RIP")
            event = tool.pause()
            same("paused twice, at", event.regs["rip"], regs["rip"])
            same("a command", tool.registers()["rip"], regs["rip"])
            tool.reply(event)
            same("still there", tool.registers(), regs)
            same("and still", counter(tool), before)
            many_quiet(tool)
            tool.write(DATA + 8, b"seen")
            manage("resume")
            runs(tool)
            same("what was written", tool.read(DATA + 8, 4), b"seen")
            event = tool.pause()
            manage("pause")
            before = counter(tool)
            tool.reply(event)
            same("its reply moves nothing", counter(tool), before)
            manage("resume")
            runs(tool)


# ---- Linux ------------------------------------------------------------------

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
            str(cpus), "--host-cpus", "2", "--append", "console=ttyS0 panic=-1",
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
    tests = []
    for wide, bits in ((False, "32 bits"), (True, "64 bits")):
        for function in (init, commands, memory, batches, quiet, unread, lost,
                         broken, declined):
            tests.append((f"{function.__name__}, {bits}", with_loop, wide,
                          function))
        for function in (step, registers, page_write, page_read, page_execute,
                         many_pages, breakpoint_, cr3_event, msr_event,
                         descriptor, inject, request, crash):
            tests.append((f"{function.__name__.strip('_')}, {bits}", paused,
                          wide, "read", function))
        tests.append((f"not started, {bits}", with_loop, wide, not_started,
                      "--cpus", "2"))
        tests.append((f"a guest that its manager has paused, {bits}", managed,
                      wide))
    tests.append(("step, SYSCALL", paused, True, "read", step_syscall))
    tests += [("several guests", several), ("again", again),
              ("started by a manager", started_by_a_manager),
              ("gone", gone), ("Linux", linux, 1),
              ("Linux, three processors", linux, 3)]
    tests += [(f"Linux that is started, {mode}", watched_boot, mode, *options)
              for mode, *options in (
                  ("legacy", "--kernel", KERNEL, "--initrd", INITRD),
                  ("PAE", "--kernel", KERNEL_PAE, "--initrd", INITRD),
                  ("IA-32e", *AMD64))]
    if len(sys.argv) > 1:
        tests = [test for test in tests
                 if any(word in test[0] for word in sys.argv[1:])]
    test_all(tests)


main()
