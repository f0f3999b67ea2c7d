# SPDX-License-Identifier: GPL-2.0-only
"""A guest without a hypervisor: what nobody behind us checks, and where QEMU's
monitor says that it is."""

import os
import re
import struct
import subprocess

from vmi_run import VMI_ROM, Refused, solo5

PVH_NOTE = b"Xen", 18               # XEN_ELFNOTE_PHYS32_ENTRY


# ---- checks -----------------------------------------------------------------

def check_kernel(path):
    """Under the hypervisor its loader does this, and more."""
    with open(path, "rb") as f:
        head = f.read(0x260)
        size = f.seek(0, os.SEEK_END)
    if head.startswith(b"\x7fELF\x02"):
        if not has_pvh_note(path):
            raise Refused(f"{path}: natively QEMU starts a 64-bit ELF by its PVH "
                          "entry, and there is no note of one")
        return
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


def has_pvh_note(path):
    """It is entered in 32-bit mode then."""
    with open(path, "rb") as f:
        data = f.read()
    try:
        return any((owner, note) == PVH_NOTE for owner, note, _ in solo5.notes(data))
    except struct.error:
        return False


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
    found = dict(re.findall(r"\b([ER][A-Z]{2}|R\d+|CR\d|HLT|CPL|EFER) ?="
                            r"([0-9a-f]+)", text))
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


def words_of(regs, *names):
    return " ".join(f"{name.lower():<3} {regs[name]}" for name in names)


def registers_wide(regs):
    """As print_wide_registers() in the hypervisor's core/report.c."""
    gprs = ("RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
            *(f"R{n}" for n in range(8, 16)))
    table = {name: f"{regs[name][0]} limit {regs[name][1][-4:]}"
             for name in ("GDT", "IDT")}
    return [
        f"rip {regs['RIP']} cs {regs['CS'][0]} rflags {regs['RFL']} "
        f"ss {regs['SS'][0]}",
        *(words_of(regs, *gprs[n:n + 4]) for n in range(0, 16, 4)),
        words_of(regs, "CR0", "CR2", "CR3", "CR4")
        + f" efer {regs['EFER'][-3:]}",
        f"gdt {table['GDT']} idt {table['IDT']} ldt {regs['LDT'][0]} "
        f"tr {regs['TR'][0]}, tss at {regs['TR'][1]}",
    ]


def registers_32(qmp, regs):
    task = memory(qmp, "2xw", int(regs["TR"][1], 16) + 4)
    selector = {name: regs[name][0] for name in
                ("CS", "SS", "DS", "ES", "FS", "GS", "LDT", "TR")}
    return [
        f"eip {regs['EIP']} cs {selector['CS']} eflags {regs['EFL']} "
        f"esp {regs['ESP']} ss {selector['SS']}",
        words_of(regs, "EAX", "EBX", "ECX", "EDX"),
        words_of(regs, "ESI", "EDI", "EBP"),
        " ".join(f"{name.lower()} {selector[name]}"
                 for name in ("DS", "ES", "FS", "GS")),
        words_of(regs, "CR0", "CR2", "CR3", "CR4"),
        f"gdt {regs['GDT'][0]} limit {regs['GDT'][1][-4:]} "
        f"idt {regs['IDT'][0]} limit {regs['IDT'][1][-4:]} "
        f"ldt {selector['LDT']}",
        f"tr {selector['TR']}, tss at {regs['TR'][1]} limit "
        f"{regs['TR'][2].lstrip('0')}, esp0 {task[0]} ss0 {task[-1][-4:]}",
    ]


def linear(regs, segment, register):
    """Of 64-bit code the segments have no base."""
    if "RIP" in regs:
        return int(regs["R" + register], 16)
    return (int(regs[segment][1], 16) + int(regs["E" + register], 16)
            & 0xffffffff)


def report(qmp, regs):
    """As the hypervisor's core/report.c has it, as far as QEMU knows."""
    words = memory(qmp, "32xw", linear(regs, "SS", "SP"))
    chips = [dict(re.findall(r"(\w+)=(\w+)", chip)) for chip in
             sorted(qmp.monitor("info pic").splitlines())
             if chip.startswith("pic")]
    pic = " ".join(f"{name} " + " ".join(chip[name] for chip in chips)
                   for name in ("irr", "imr", "isr"))
    return "\n".join([
        *(registers_wide(regs) if "RIP" in regs else registers_32(qmp, regs)),
        "8259 " + pic,
        "code: " + " ".join(memory(qmp, "16xb", linear(regs, "CS", "IP"))),
        "stack: " + "\n\t".join(" ".join(words[i:i + 8])
                                for i in range(0, len(words), 8)),
    ])


def place(regs):
    if regs.get("HLT") == "1":
        return ("halted, waiting for an interrupt"
                if int(regs.get("RFL") or regs["EFL"], 16) & 0x200 else
                "halted with interrupts off: nothing can wake it")
    return ("runs in user mode" if regs.get("CPL") == "3" else
            "runs in its kernel")


def empty_idt(qmp, regs):
    """A kernel that reboots so, as the hypervisor's x86/vcpu.c sees it: INT3
    with an IDT in which neither that nor #DF has a gate."""
    gate = 16 if "RIP" in regs else 8
    return (int(regs["IDT"][1], 16) < 3 * gate + gate - 1 and
            memory(qmp, "1xb", linear(regs, "CS", "IP")) == ["cc"])
