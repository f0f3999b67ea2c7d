# SPDX-License-Identifier: GPL-2.0-only
"""A guest without a hypervisor: what nobody behind us checks, and where QEMU's
monitor says that it is."""

import os
import re
import struct
import subprocess

from vmi_run import VMI_ROM, Refused


# ---- checks -----------------------------------------------------------------

def check_kernel(path):
    """Under the hypervisor its loader does this, and more."""
    with open(path, "rb") as f:
        head = f.read(0x260)
        size = f.seek(0, os.SEEK_END)
    if head.startswith(b"\x7fELF"):
        return
    if head[0x1fe:0x200] != b"\x55\xaa" or head[0x202:0x206] != b"HdrS":
        raise Refused(f"{path}: not a kernel: neither bzImage nor ELF")
    setup, = struct.unpack_from("<B", head, 0x1f1)
    code, = struct.unpack_from("<I", head, 0x1f4)
    need = ((setup or 4) + 1) * 512 + code * 16
    if size < need:
        raise Refused(f"{path}: truncated: the header says {need} bytes, the "
                      f"file has {size}")


def check_rom(path):
    """A BIOS runs the image as it is, and a guest then trusts it."""
    tool = subprocess.run([VMI_ROM, "native", path], capture_output=True,
                          text=True, check=False)
    if tool.returncode:
        raise Refused(tool.stderr.strip().removeprefix("vmi-rom: "))


# ---- where it is ------------------------------------------------------------

def registers(qmp):
    """By name, as QEMU's monitor shows them; of a segment or table the words
    behind its name."""
    text = qmp.monitor("info registers")
    found = dict(re.findall(r"\b(E[A-Z]{2}|CR\d|HLT|CPL)=([0-9a-f]+)", text))
    for name, words in re.findall(
            r"^([C-GS]S|LDT|TR|GDT|IDT) ?= *([0-9a-f ]+)", text, re.M):
        found[name] = words.split()
    return found


def memory(qmp, form, address):
    """Words or bytes at a linear address, as the report has them."""
    text = qmp.monitor(f"x /{form} {address:#x}")
    if "Cannot access" in text or not text:
        return ["(not mapped)"]
    return re.findall(r"0x([0-9a-f]+)", text)


def report(qmp, regs):
    """As the hypervisor's core/report.c has it, as far as QEMU knows."""
    if "EIP" not in regs:           # in 64-bit mode
        return qmp.monitor("info registers").strip().replace("\r", "")

    def line(*names):
        return " ".join(f"{name.lower()} {regs[name]}" for name in names)

    def base(segment):
        return int(regs[segment][1], 16)

    code = base("CS") + int(regs["EIP"], 16) & 0xffffffff
    stack = base("SS") + int(regs["ESP"], 16) & 0xffffffff
    words = memory(qmp, "32xw", stack)
    task = memory(qmp, "2xw", base("TR") + 4)
    chips = [dict(re.findall(r"(\w+)=(\w+)", chip)) for chip in
             sorted(qmp.monitor("info pic").splitlines())
             if chip.startswith("pic")]
    pic = " ".join(f"{name} " + " ".join(chip[name] for chip in chips)
                   for name in ("irr", "imr", "isr"))
    selector = {name: regs[name][0] for name in
                ("CS", "SS", "DS", "ES", "FS", "GS", "LDT", "TR")}
    return "\n".join([
        f"eip {regs['EIP']} cs {selector['CS']} eflags {regs['EFL']} "
        f"esp {regs['ESP']} ss {selector['SS']}",
        line("EAX", "EBX", "ECX", "EDX"), line("ESI", "EDI", "EBP"),
        " ".join(f"{name.lower()} {selector[name]}"
                 for name in ("DS", "ES", "FS", "GS")),
        line("CR0", "CR2", "CR3", "CR4"),
        f"gdt {regs['GDT'][0]} limit {regs['GDT'][1][-4:]} "
        f"idt {regs['IDT'][0]} limit {regs['IDT'][1][-4:]} "
        f"ldt {selector['LDT']}",
        f"tr {selector['TR']}, tss at {regs['TR'][1]} limit "
        f"{regs['TR'][2].lstrip('0')}, esp0 {task[0]} ss0 {task[-1][-4:]}",
        "8259 " + pic,
        "code: " + " ".join(memory(qmp, "16xb", code)),
        "stack: " + "\n\t".join(" ".join(words[i:i + 8])
                                for i in range(0, len(words), 8)),
    ])


def place(regs):
    if regs.get("HLT") == "1":
        return ("halted, waiting for an interrupt"
                if int(regs.get("EFL", "200"), 16) & 0x200 else
                "halted with interrupts off: nothing can wake it")
    return ("runs in user mode" if regs.get("CPL") == "3" else
            "runs in its kernel")


def empty_idt(qmp, regs):
    """A kernel that reboots so, as the hypervisor's x86/vcpu.c sees it: INT3
    with an IDT in which neither that nor #DF has a gate."""
    if "EIP" not in regs:
        return False
    code = int(regs["CS"][1], 16) + int(regs["EIP"], 16)
    return (int(regs["IDT"][1], 16) < 3 * 8 + 7 and
            memory(qmp, "1xb", code) == ["cc"])
