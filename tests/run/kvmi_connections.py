#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Introspection from outside: connections that end, of tools that break the rules and of
guests that begin again, of several guests, and of one that its manager has paused."""

import sys
sys.dont_write_bytecode = True
import json
import os
import socket
import struct
import threading
import time

from harness import BUILD, HANG, VMI_RUN, expect, same, scratch, write
import kvmi_tool as kvmi
from kvmi_loop import (BASE, CODE, DATA, STACK, SYSENTER_CS, counter, elf32, elf64, loop,
                       many_quiet, runs, test_some, with_loop)
from kvmi_tool import Closed, Machine, vcpu
sys.path.append(os.path.dirname(VMI_RUN))
from vmi_run import introspect


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


def main():
    tests = []
    for wide, bits in ((False, "32 bits"), (True, "64 bits")):
        for function in (unread, lost, broken, declined):
            tests.append((f"{function.__name__}, {bits}", with_loop, wide,
                          function))
        tests.append((f"a guest that its manager has paused, {bits}", managed,
                      wide))
    tests += [("several guests", several), ("again", again),
              ("started by a manager", started_by_a_manager), ("gone", gone)]
    test_some(tests)


main()
