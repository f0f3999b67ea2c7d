# SPDX-License-Identifier: GPL-2.0-only
"""An introspection tool: the tool's side of spec/introspection.md, for tests."""

import collections
import os
import shutil
import socket
import struct
import subprocess

from harness import HANG, VMI_RUN, expect, same

HELLO = 96
REPLY, EVENT = 0, 1
VERSION, CHECK_COMMAND, CHECK_EVENT, GUEST_INFO, VCPU_INFO, PAUSE = range(2, 8)
VM_EVENTS, EVENTS, CR, MSR = range(8, 12)
GET_REGS, SET_REGS, CPUID = 13, 14, 15
READ, WRITE, INJECT, ACCESS = 17, 18, 19, 21
MTRR, RESPONSE, MAX_GFN, EPT_VIEW, TRANSLATE = 23, 27, 29, 34, 35
XCR, QUERY, STEP = 37, 39, 63
(EV_UNHOOK, EV_CR, EV_MSR, EV_XSETBV, EV_BP, EV_HYPERCALL, EV_PF, EV_TRAP,
 EV_DESC, EV_CREATE, EV_PAUSE, EV_STEP, EV_ERROR, EV_CPUID) = range(14)
CONTINUE, RETRY, CRASH = range(3)
EPERM, ENOENT, EAGAIN, ENOMEM, EBUSY, EINVAL, EOPNOTSUPP, ENOSYS = \
    1, 2, 11, 12, 16, 22, 95, 1000
R, W, X = 1, 2, 4
RWX = R | W | X

REGS = ("rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip "
        "rflags").split()
SEGMENTS = "cs ds es fs gs ss tr ldt".split()
# What LibVMI asks for.
MSRS = (0x174, 0x175, 0x176, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083)

Event = collections.namedtuple("Event", "seq vcpu id mode regs sregs data")


class Closed(Exception):
    """The connection."""


def regs_of(data, at):
    return dict(zip(REGS, struct.unpack_from("<18Q", data, at)))


def sregs_of(data, at):
    found = {}
    for n, name in enumerate(SEGMENTS):
        base, limit, selector = struct.unpack_from("<QIH", data, at + 24 * n)
        flags = struct.unpack_from("<9B", data, at + 24 * n + 14)
        found[name] = dict(zip("type present dpl db s l g avl unusable".split(),
                               flags), base=base, limit=limit,
                           selector=selector)
    found["idt"], = struct.unpack_from("<Q", data, at + 208)
    found["cr0"], found["cr2"], found["cr3"], found["cr4"], found["cr8"], \
        found["efer"], found["apic_base"] = struct.unpack_from("<7Q", data,
                                                               at + 224)
    return found


def pf_of(event):
    """Of a PF: where, linear and physical, and what access."""
    return struct.unpack_from("<QQB", event.data)


class Tool:
    """One connection of a guest."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(float(HANG))
        self.seq = 0
        self.events = collections.deque()

    # ---- bytes ----

    def take(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionError:
                part = b""
            if not part:
                raise Closed
            data += part
        return data

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            raise Closed from None

    def hello(self, answer=struct.pack("<I20x", 24)):
        data = self.take(HELLO)
        same("the greeting's size", struct.unpack_from("<I", data)[0], HELLO)
        self.uuid, self.start = struct.unpack_from("<16s4xq", data, 4)
        self.name = data[32:].rstrip(b"\0").decode()
        self.send(answer)

    # ---- messages ----

    def message(self, command, body=b"", size=None):
        self.seq += 1
        return struct.pack("<HHI", command, len(body) if size is None else
                           size, self.seq) + body

    def receive(self):
        """One message; events are kept."""
        what, size, seq = struct.unpack("<HHI", self.take(8))
        data = self.take(size)
        if what == EVENT:
            self.events.append(self.event_of(seq, data))
        return what, seq, data

    @staticmethod
    def event_of(seq, data):
        common, vcpu, event = struct.unpack_from("<HHB", data)
        same("the size of the common part", common, 544)
        return Event(seq, vcpu, event, data[8], regs_of(data, 16),
                     sregs_of(data, 160), data[common:])

    def answer(self, command):
        """(error, data) of the last command."""
        while True:
            what, seq, data = self.receive()
            if what == EVENT:
                continue
            same("the answer's id and number", (what, seq),
                 (command, self.seq))
            error, pad = struct.unpack_from("<iI", data)
            same("padding", pad, 0)
            expect(not error or len(data) == 8, "an error has data")
            return -error, data[8:]

    def ask(self, command, body=b""):
        self.send(self.message(command, body))
        return self.answer(command)

    def get(self, command, body=b""):
        error, data = self.ask(command, body)
        same(f"the error of command {command}", error, 0)
        return data

    def event(self):
        while not self.events:
            self.receive()
        return self.events.popleft()

    def wait_for(self, event):
        """The next is of that kind."""
        found = self.event()
        same("the event", found.id, event)
        return found

    def reply(self, event, action=CONTINUE, data=b""):
        self.send(struct.pack("<HHI", REPLY, 16 + len(data), event.seq)
                  + vcpu(event.vcpu)
                  + struct.pack("<BBHI", action, event.id, 0, 0) + data)

    # ---- commands ----

    def registers(self, nr=0, msrs=()):
        data = self.get(GET_REGS, vcpu(nr) + struct.pack(
            f"<HHI{len(msrs)}I", len(msrs), 0, 0, *msrs))
        same("its size", len(data), 472 + 16 * len(msrs))
        found = dict(regs_of(data, 8), **sregs_of(data, 152))
        found["mode"], = struct.unpack_from("<I", data)
        found["msrs"] = [struct.unpack_from("<IIQ", data, 472 + 16 * n)[::2]
                         for n in range(len(msrs))]
        return found

    def set_registers(self, regs, nr=0):
        return self.ask(SET_REGS, vcpu(nr) + struct.pack(
            "<18Q", *(regs[name] for name in REGS)))[0]

    def read(self, gpa, size=4096):
        return self.get(READ, struct.pack("<QQ", gpa, size))

    def write(self, gpa, data):
        self.get(WRITE, struct.pack("<QQ", gpa, len(data)) + data)

    def pause(self, nr=0):
        """Until it is; the event."""
        self.get(PAUSE, vcpu(nr) + b"\1" + bytes(7))
        return self.wait_for(EV_PAUSE)

    def switch(self, event, on=True, nr=0):
        return self.ask(EVENTS, vcpu(nr) + struct.pack("<HB5x", event, on))[0]

    def control_cr(self, cr, on=True, nr=0):
        return self.ask(CR, vcpu(nr) + struct.pack("<BBHI", on, 0, 0, cr))[0]

    def control_msr(self, msr, on=True, nr=0):
        return self.ask(MSR, vcpu(nr) + struct.pack("<BBHI", on, 0, 0, msr))[0]

    def access(self, *pages):
        """(gpa, access) of each."""
        return self.ask(ACCESS, struct.pack("<HHI", 0, len(pages), 0) + b"".join(
            struct.pack("<QB7x", *page) for page in pages))[0]

    def step(self, on=True, nr=0):
        return self.ask(STEP, vcpu(nr) + struct.pack("<B7x", on))[0]

    def translate(self, gva, nr=0):
        return struct.unpack("<Q", self.get(TRANSLATE, vcpu(nr)
                                            + struct.pack("<Q", gva)))[0]

    def cpuid(self, leaf, sub=0, nr=0):
        """(error, registers)"""
        return self.ask(CPUID, vcpu(nr) + struct.pack("<II", leaf, sub))

    def libvmi_init(self):
        """What LibVMI asks for at first, with events."""
        version, pad = struct.unpack_from("<II", self.get(VERSION))
        same("the version", (version, pad), (1, 0))
        self.vcpus, = struct.unpack_from("<I", self.get(GUEST_INFO))
        self.frames, = struct.unpack("<Q", self.get(MAX_GFN))
        for nr in range(self.vcpus):
            for event in (EV_CR, EV_MSR, EV_PF, EV_STEP):
                same(f"switching event {event} on", self.switch(event, nr=nr),
                     0)
        return self.registers(msrs=MSRS)


def vcpu(nr):
    return struct.pack("<HHI", nr, 0, 0)


class Machine:
    """vmi-run with a tool that listens before it is started; qemu: options of QEMU's,
    which come behind vmi-run's."""

    def __init__(self, directory, *options, stdin=subprocess.DEVNULL,
                 timeout=HANG, qemu=""):
        path = os.path.join(directory, "tool")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(float(HANG))
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [VMI_RUN, "--timeout", timeout, "--introspect", path, *options],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment(directory, qemu))
        self.output = b""

    @staticmethod
    def environment(directory, qemu):
        name = "qemu-system-x86_64"
        path = os.path.join(directory, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\nexec {shutil.which(name)} "$@" {qemu}\n')
        os.chmod(path, 0o755)
        return dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}")

    def accept(self):
        return Tool(self.listener.accept()[0])

    def tool(self):
        tool = self.accept()
        tool.hello()
        return tool

    def until(self, text):
        """Its console has said that."""
        while text not in self.output:
            data = os.read(self.process.stdout.fileno(), 4096)
            expect(data, f"the console ended before {text!r}: "
                   + repr(self.output[-200:]))
            self.output += data

    def end(self):
        """Its status, when it ends by itself."""
        self.output += self.process.communicate()[0]
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()
