#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Introspection from outside (spec/introspection.md), by a tool of our own: commands and
events, of the loop in kvmi_loop.py."""

import sys
sys.dont_write_bytecode = True
import struct

from harness import expect, same, tail
import kvmi_tool as kvmi
from kvmi_loop import (AROUND, AT, BASE, CODE, DATA, SYSENTER_CS, counter, many_quiet,
                       paused, runs, test_some, with_loop)
from kvmi_tool import Closed, R, RWX, W, X, pf_of, vcpu


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


def main():
    tests = []
    for wide, bits in ((False, "32 bits"), (True, "64 bits")):
        for function in (init, commands, memory, batches, quiet):
            tests.append((f"{function.__name__}, {bits}", with_loop, wide,
                          function))
        for function in (step, registers, page_write, page_read, page_execute,
                         many_pages, breakpoint_, cr3_event, msr_event,
                         descriptor, inject, request, crash):
            tests.append((f"{function.__name__.strip('_')}, {bits}", paused,
                          wide, "read", function))
        tests.append((f"not started, {bits}", with_loop, wide, not_started,
                      "--cpus", "2"))
    tests.append(("step, SYSCALL", paused, True, "read", step_syscall))
    test_some(tests)


main()
