#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""build/openvmi.iso boots from a CD in QEMU, by BIOS and by UEFI, and in Bochs,
on processors that show all they have, and in Bochs check segment limits, as
real ones do. Menu entries lead to a shell, where the smoke program prints
what it prints anywhere (natively in Bochs, which would only test Bochs, nothing
is run)."""

import sys
sys.dont_write_bytecode = True
import fcntl
import os
import re
import shutil
import socket
import subprocess
import threading

from harness import (BUILD, HANG, expect, same, scratch, tail, test_all,
                     vmi_run)

ISO = os.path.join(BUILD, "openvmi.iso")
NATIVE_ROM = os.path.join(BUILD, "rom/native.rom")
OVMF = "/usr/share/ovmf/OVMF.fd"
PROMPT = "/ # "
# Kernel messages about signals that are meant would cut lines in two.
QUIET = "dmesg -n 1; echo 0 >/proc/sys/debug/exception-trace; "

BOCHSRC = """
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={bios}
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_icelake_u, count={cpus}, ips=25000000, reset_on_triple_fault=0
memory: guest={memory}, host={memory}
clock: sync=none, time0=1700000000
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=localhost:{port}
sound: driver=dummy
panic: action=fatal
port_e9_hack: enabled=1
log: -
"""
BOCHS_BIOS = "/usr/share/bochs/BIOS-bochs-latest"


def bochs_command(directory, iso, port, memory=512, more="", cpus=1):
    config = BOCHSRC.format(bios=BOCHS_BIOS, iso=iso, port=port, memory=memory,
                            cpus=cpus)
    for name, text in (("bochsrc", config + more), ("debug.rc", "c\n")):
        with open(os.path.join(directory, name), "w", encoding="ascii") as f:
            f.write(text)
    return ["bochs", "-q", "-f", directory + "/bochsrc",
            "-rc", directory + "/debug.rc"]


def qemu(directory, port):
    return ["qemu-system-x86_64", "-m", "512", "-cdrom", ISO,
            "-cpu", "max", "-display", "none", "-no-reboot",
            "-net", "none", "-debugcon", "file:" + directory + "/e9",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-serial", f"tcp:localhost:{port}"]


def uefi_q35(directory, port):
    return qemu(directory, port) + ["-bios", OVMF, "-machine", "q35"]


def uefi_pc(directory, port):
    return qemu(directory, port) + ["-bios", OVMF, "-machine", "pc"]


def bochs(directory, port):
    return bochs_command(directory, ISO, port)


def start_bochs(command, out):
    """One at a time on the whole machine, until its display has a port: between
    Bochs's bind() and listen() the port looks free to another Bochs, which then
    finds none."""
    with open(BOCHS_BIOS, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.PIPE)
        for line in process.stderr:
            if b"listening for connections" in line:
                break
    threading.Thread(target=shutil.copyfileobj, args=(
        process.stderr, open(os.devnull, "wb"))).start()
    return process


def start_qemu(command, out):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                            stderr=out)


class Machine:
    """Its first serial port, as a conversation."""

    def __init__(self, command, directory):
        self.said = ""
        with socket.create_server(("localhost", 0)) as server:
            server.settimeout(float(HANG))
            self.out = open(os.path.join(directory, "out"), "wb")
            line = command(directory, server.getsockname()[1])
            start = start_bochs if line[0] == "bochs" else start_qemu
            self.process = start(line, self.out)
            # It ends even when it hangs silently, or never connects.
            self.timer = threading.Timer(float(HANG), self.process.kill)
            self.timer.start()
            self.console = server.accept()[0]

    def until(self, text):
        """What came since the last call, up to the text."""
        while text not in self.said:
            data = self.console.recv(4096)
            expect(data, f"it ended before {text!r}: " + tail(self.said))
            self.said += data.decode("ascii", "replace")
        found, self.said = self.said.split(text, 1)
        return found

    def type(self, text):
        self.console.sendall(text.encode("ascii"))

    def end(self):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        self.console.close()
        self.out.close()


def smoke_lines(text):
    return re.findall(r"^smoke: .*?(?=\r?$)", text, re.M)


def boot(command, key, kind, reference):
    with scratch() as directory:
        machine = Machine(command, directory)
        try:
            machine.until("GNU GRUB")
            machine.type(key)
            found = machine.until(PROMPT)
            expect(kind in found, f"not {kind!r}: " + tail(found))
            if reference:
                machine.type(QUIET + "/bin/smoke; echo status $?\n")
                found = machine.until("status 0")
                same("its output", smoke_lines(found), reference)
            machine.type("poweroff\n")
            machine.until("reboot: ")
            if key == "h":  # both machines say 1 when told to end
                same("the status of the machine",
                     machine.process.wait(float(HANG)), 1)
        finally:
            machine.end()


def service():
    """Its first guest starts another, of what is on the ISO, and outlives it."""
    with scratch() as directory:
        machine = Machine(qemu, directory)
        try:
            machine.until("GNU GRUB")
            machine.type("m")
            machine.until(PROMPT)
            machine.type("vmictl start /boot/bzImage --console "
                         "--initrd /boot/initramfs.cpio.gz\n")
            machine.until("Run /init")
            machine.until("on vmi, ring 1")
            machine.until(PROMPT)
            machine.type("poweroff\n")
            machine.until("reboot: Power down")
            machine.until(PROMPT)
            machine.type("vmictl list\n")
            found = machine.until(PROMPT)
            expect(re.search(r"\n1 +bzImage +shut down ", found),
                   f"list says {found!r}")
            machine.type("poweroff\n")
            machine.until("reboot: ")
            same("the status of the machine",
                 machine.process.wait(float(HANG)), 1)
        finally:
            machine.end()


def bochs_with_rom(directory, port):
    """With native.rom where a card would have it."""
    return bochs_command(directory, ISO, port, more=(
        f"optromimage1: file={NATIVE_ROM}, address=0xd0000\n"))


def lines(*text):
    """Typed at GRUB's prompt."""
    return "c" + "\r".join(text) + "\r"


PAE_GUEST = lines(
    "multiboot /boot/hypervisor-stub.elf", "module /boot/conformance.elf "
    "role=kernel memory=64 name=suite -- mode=pae",
    "module /boot/stub.rom role=rom name=rom", "boot")
PAE_NATIVE = lines("multiboot /boot/conformance.elf mode=pae", "boot")


def conformance(command, keys, enough):
    """TAP on the console; tests/conformance/run.py looks more closely."""
    with scratch() as directory:
        machine = Machine(command, directory)
        try:
            machine.until("GNU GRUB")
            machine.type(keys)
            found = machine.until("\n1..")
            points = int(re.match(r"\d+", machine.until("\n"))[0])
            bad = re.findall(r"not ok.*|Bail out.*", found)
            expect(not bad, tail("\n".join(bad)))
            same("the number of points", points,
                 len(re.findall(r"ok \d+ - ", found)))
            passed = re.findall(r"^ok \d+ - (?!.*# SKIP)", found, re.M)
            expect(len(passed) >= enough, f"{len(passed)} points have passed")
        finally:
            machine.end()


def main():
    run = vmi_run("--native", "--append", "console=ttyS0 smoke panic=-1")
    reference = smoke_lines(run.stdout) or ["no native result"]
    vmi, native = "on vmi, ring 1", "no hypervisor"
    test_all([
        ("the ISO in Bochs, under the hypervisor", boot, bochs, "h", vmi,
         reference),
        ("the ISO in QEMU, under the hypervisor", boot, qemu, "h", vmi,
         reference),
        ("the ISO in QEMU, a guest that starts another", service),
        ("the ISO in QEMU, natively", boot, qemu, "n", native, reference),
        ("the ISO by UEFI, under the hypervisor", boot, uefi_q35, "h", vmi,
         reference),
        ("the same on an older PC", boot, uefi_pc, "h", vmi, reference),
        ("the ISO by UEFI, natively", boot, uefi_q35, "n", native, reference),
        ("the ISO in Bochs, natively", boot, bochs, "n", native, None),
        ("the ISO in Bochs, the conformance suite under the hypervisor",
         conformance, bochs, "t", 600),
        ("the same with PAE", conformance, bochs, PAE_GUEST, 600),
        ("the ISO in Bochs, the conformance suite with native.rom",
         conformance, bochs_with_rom, "s", 200),
        ("the same with native.rom and PAE", conformance, bochs_with_rom,
         PAE_NATIVE, 200),
    ])


if __name__ == "__main__":
    main()
