#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The headers keep what was released (spec/vmi.md, VMI-4), and changes that
must not pass do not."""

import sys
sys.dont_write_bytecode = True
import os
import shutil
import tempfile
import subprocess

from harness import ROOT, expect, same, scratch, test_all

ABI = os.path.join(ROOT, "spec/abi/abi.py")
HEADERS = os.path.join(ROOT, "spec/include")


def abi(name, *include):
    return subprocess.run([ABI, "check", name, *include], capture_output=True,
                          text=True, check=False)


def unchanged(name):
    run = abi(name)
    expect(run.returncode == 0,
           " | ".join((run.stdout + run.stderr).strip().splitlines()[-6:]))


def changed(directory, name, edits, says):
    """The verdict on headers with some text replaced. says: the lines of the
    complaint, none if it is fine."""
    include = os.path.join(tempfile.mkdtemp(dir=directory), "include")
    shutil.copytree(HEADERS, include)
    for file, old, new in edits:
        path = os.path.join(include, file)
        with open(path, encoding="ascii") as f:
            text = f.read()
        expect(old in text, f"{file} has no {old!r}")
        with open(path, "w", encoding="ascii") as f:
            f.write(text.replace(old, new, 1))
    run = abi(name, include)
    same("the complaint", run.stdout.splitlines(), says)
    same("the status", (run.returncode, run.stderr), (1 if says else 0, ""))


GUEST = "vmi: incompatible with what was released, while VMI_API_MAJOR is " \
    "still 3"
GROWN = "vmi: new since the release, while VMI_API_MINOR is still 0"
PRIVATE = "stub: incompatible with what was released, while STUB_LAYOUT is " \
    "still 1"

MAJOR = ("vmi.h", "VMI_API_MAJOR\t\t3", "VMI_API_MAJOR\t\t4")
OLD_MINOR = ("vmi.h", "VMI_API_MINOR\t\t1", "VMI_API_MINOR\t\t0")
LAYOUT = ("vmi_stub.h", "STUB_LAYOUT\t\t1", "STUB_LAYOUT\t\t2")
NEW_CALL = ("vmi.h", "X(61, SetIOPLMask)", "X(49, New) X(61, SetIOPLMask)")
MOVED_CALL = ("vmi.h", "X(35, Halt)", "X(49, Halt)")
# With the assertions, which would not let it pass either.
MOVED_FIELD = [("vmi.h", "cr0, cr2, cr3, cr4;\n\tuint64_t\tefer",
                "cr2, cr0, cr3, cr4;\n\tuint64_t\tefer"),
               ("vmi.h", "vmi_ap_state, cr0, 0x00", "vmi_ap_state, cr2, 0x00"),
               ("vmi.h", "vmi_ap_state, cr2, 0x04", "vmi_ap_state, cr0, 0x04")]
MOVED_PRIVATE = [("vmi_stub.h", "\tcr2;\n\tuint32_t\tcr3;",
                  "\tcr3;\n\tuint32_t\tcr2;"),
                 ("vmi_stub.h", "stub_shared, cr2, 0x00c",
                  "stub_shared, cr3, 0x00c"),
                 ("vmi_stub.h", "stub_shared, cr3, 0x010",
                  "stub_shared, cr2, 0x010")]


def cases(directory):
    for name in ("vmi", "stub"):
        yield f"{name}.abi", unchanged, name
    for name, interface, edits, *says in (
            ("a call that moved", "vmi", [MOVED_CALL],
             "-call VMI_CALL_Halt 0x23", "+call VMI_CALL_Halt 0x31", GUEST),
            ("a call that is gone", "vmi",
             [("vmi.h", "X(26, RDPMC)\t\t", "\t\t")],
             "-call VMI_CALL_RDPMC 0x1a", GUEST),
            ("a field that moved", "vmi", MOVED_FIELD,
             "-struct vmi_ap_state cr0 offset 0x0",
             "+struct vmi_ap_state cr0 offset 0x4",
             "-struct vmi_ap_state cr2 offset 0x4",
             "+struct vmi_ap_state cr2 offset 0x0", GUEST),
            ("a constant that changed", "vmi",
             [("vmi.h", "VMI_PAGE_CLONE\t\t0x20u", "VMI_PAGE_CLONE\t\t0x80u")],
             "-constant VMI_PAGE_CLONE 0x20", "+constant VMI_PAGE_CLONE 0x80",
             GUEST),
            ("a changed relocation type, with a new minor version", "vmi",
             [("vmi.h", "VMI_RELOC_NOP\t= 3", "VMI_RELOC_NOP\t= 4")],
             "-enum vmi_reloc_type VMI_RELOC_NOP 0x3",
             "+enum vmi_reloc_type VMI_RELOC_NOP 0x4", GUEST),
            ("a changed call with a new major version", "vmi",
             [MOVED_CALL, MAJOR]),
            ("new calls", "vmi", [NEW_CALL, OLD_MINOR],
             "+call VMI_CALL_New 0x31",
             "+call VMI_CALL_FlushProcessors 0x4a",
             "+call VMI_CALL_Hypercall 0x4b", GROWN),
            ("new calls with a new minor version", "vmi", [NEW_CALL]),
            ("a new constant", "vmi",
             [("vmi.h", "#define VMI_FLUSH_TLB", "#define VMI_MORE 7\n"
               "#define VMI_FLUSH_TLB")]),
            ("an older major version", "vmi",
             [("vmi.h", "VMI_API_MAJOR\t\t3", "VMI_API_MAJOR\t\t2")],
             "-constant VMI_API_MAJOR 0x3", "+constant VMI_API_MAJOR 0x2",
             GUEST),
            ("a private field that moved", "stub", MOVED_PRIVATE,
             "-struct stub_shared cr2 offset 0xc",
             "+struct stub_shared cr2 offset 0x10",
             "-struct stub_shared cr3 offset 0x10",
             "+struct stub_shared cr3 offset 0xc", PRIVATE),
            ("a private field that moved, with a new layout", "stub",
             [*MOVED_PRIVATE, LAYOUT])):
        yield name, changed, directory, interface, edits, says


with scratch() as d:
    test_all(cases(d))
