#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Guest memory is touched in one module alone (hypervisor-stub/mm): no other
file of the hypervisor knows where the frames of a guest are, turns an address
into a pointer that could be one of them, or looks into a table. The headers in
which the latter could be done are private to that folder. Nor
does anything outside of metal/ use a port."""

import sys
sys.dont_write_bytecode = True
import glob
import os
import re

from harness import ROOT, expect, test_all

SOURCES = os.path.join(ROOT, "hypervisor-stub")

# What only some files may do, and why they may.
RULES = [
    (r"\bp2m\b", "where frames are", {"mm.h", "gmem.h", "gmem.c",
                                      "view.c"}),   # which takes them away
    (r"\bhidden\b", "where frames are", {"mm.h", "gmem.c", "view.c", "shadow.h"}),
    (r"\bgmem\.ram\b", "where memory is", {"gmem.c"}),
    (r"\bstruct gtable\s*\{|\b(?:u?int\d+_t|char|void)\s*\*\s*\)"
     r"\s*(?:guest|table|dir|at)\b", "looking into a table",
     {"gmem.h",
      "stats.c"}),      # struct guest
    (r"\bhost_va\b", "a pointer from an address",
     {"gmem.h", "cpu.h",
      "gmem.c",         # what it gives back
      "memory.c",       # memory that nobody has
      "firmware.h", "acpi.c", "mptable.c",      # the firmware's
      "lapic.c",        # the local APICs' registers
      "smp.c",          # where processors start
      "main.c", "multiboot.c",  # the boot loader's
      "watchdog.c",     # the I/O APIC's registers
      "espfix.c", "wide.c",     # the machine's page tables
      "shadow.h"}),     # pages of the pool: shadow_table()
    (r"\bshadow_table\b", "a pointer from an address",
     {"shadow.h", "verify.c",
      "root.c",         # the machine's PML4, to be copied
      "walk.c", "long.c"}),     # as the CPU would
    (r"(?:->|\.)ram\b", "where memory is",
     {"gmem.c", "guest.c",
      "loader.c", "solo5.c"}),      # of struct gmem, loader_in and solo5_in
    (r"\*\s*\)\s*\(?[\w.>-]*\b(?:leaf_at|pde_at)\b|"
     r"\bmem\w+\([^;]*_at\b", "looking into a table", set()),
    (r"\bDIRECT_BASE\b", "a pointer from an address", {"cpu.h"}),
    (r"\bcopy_fixup\b", "linear addresses of the guest",
     {"gmem.c", "mm.h", "copy.asm"}),
    (r"\bextable\b", "linear addresses of the guest",
     {"cpu.h", "entry.asm", "copy.asm", "exit.c", "hv.ld"}),
    (r"\bSTORE_WORD\b", "linear addresses of the guest", {"mm.h", "cpu.h"}),
    (r"\b(?:in|out)[bwl]\(|<port\.h>|\"(?:lidt %|ltr %|sti; hlt)",
     "the machine, without host.h",
     {"port.h", "cpu.h", "clock.c", "serial.c", "debug.c", "lapic.c", "smp.c",
      "watchdog.c", "virtio.c", "virtio_channel.c", "idt.c"}),
    (r"\bgmem_boot_(?:ram|copy)\b", "writing before the guest runs",
     {"mm.h", "gmem.c", "guest.c", "rom.c", "io.c", "comm.c"}),
    (r"(?<!volatile )\bstruct stub_shared\s*\*|->sh->\w+(?:\[\w+\])?\s*[|&]=|"
     r"\bmem(?:cpy|cmp|set)\([^;]*\bsh\b", "the shared area, not volatile",
     {"start.c"}),      # of a vCPU that does not run
]

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def wrong(name, text):
    """Lines of a file that break a rule."""
    text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)
    return [f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {what}"
            for pattern, what, allowed in RULES if name not in allowed
            for m in re.finditer(pattern, text)]


def sources():
    for path in sorted(glob.glob(SOURCES + "/**/*.*", recursive=True)):
        if path.endswith((".c", ".h", ".asm", ".ld")):
            with open(path, encoding="ascii") as f:
                yield os.path.basename(path), f.read()


def one_module():
    found = [line for name, text in sources() for line in wrong(name, text)]
    expect(not found, "; ".join(found))


def seen():
    """The rules find what they are for."""
    for text in ("m->ram[gpa]", "*(uint32_t *)(w->leaf_at)",
                 "((uint32_t *)w->pde_at)[1]", "memcpy(x, w.leaf_at, 8)",
                 "shadow_table(gmem_leaf(&g->mm.gmem, gfn))[3]",
                 "g->mm.gmem.p2m[gfn]", "*(uint32_t *)host_va(x)",
                 "((uint64_t *)dir)[3]", "(const volatile uint32_t *) at",
                 "struct stub_shared *sh = v->sh;", "v->sh->flags |= 1",
                 "memcpy(&x, (void *)&v->sh->cr0, 4)", "copy_fixup(a, b, 4)",
                 ".pushsection extable", "outb(0x80, 0)", "inl(0xcfc)", '#include <port.h>', 'asm("ltr %0");', "STORE_WORD(at, word, fault)", "v->sh->dr[6] |= dr6"):
        expect(wrong("other.c", text), f"not found: {text}")
    for text in ("/* p2m */", "volatile struct stub_shared *sh = v->sh;",
                 "v->sh->cr2 = va", "table = (uint64_t *)(tables + i)"):
        expect(not wrong("other.c", text), f"found: {text}")


test_all([("guest memory is touched in one module", one_module),
          ("and nowhere else", seen)])
