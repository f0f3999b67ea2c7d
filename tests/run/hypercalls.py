#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The table of calls is the same in spec/neighbours.md, in the hypervisor, and, as
far as it has one, in its unit test; and a difference would be found."""

import sys
sys.dont_write_bytecode = True
import os
import re

from harness import ROOT, expect, read, same, test_all

# number: (name, arguments, rights, user mode, drains, target)
SPEC_ROW = re.compile(r"^\| (\d+) \| (\w+) \|[^|]*\| (\d) \| ([\w, -]+) \| "
                      r"(yes|no) \| (yes|no) \| (any|other|-) \|", re.M)
C_ROW = re.compile(r"\[VMI_HC_(\w+)\]\s*=\s*\{\s*\w+,\s*(\d),\s*([\w |]+),\s*"
                   r"(YES|NO),\s*(YES|NO),\s*(\w+),\s*(?:YES|NO)\s*\}")
TEST_ROW = re.compile(r"\{ VMI_HC_(\w+), ([\w |]+), (true|false), "
                      r"(true|false) \}")
NUMBER = re.compile(r"X\((\d+), (\w+)\)")
TARGETS = {"NO_TARGET": "-", "OWN_LOCKS": "-", "ANY_GUEST": "any",
           "OTHER_GUEST": "other", "OTHER_NAMED": "other"}


def text(*path):
    return read(os.path.join(ROOT, *path)).decode()


def numbers():
    header = text("spec/include/vmi_hypercall.h")
    header = header[header.index("define VMI_HYPERCALLS"):]
    return {name: int(number) for number, name in
            NUMBER.findall(header[:header.index("#define VMI_HC_ENUM")])}


def rights(words):
    """As a set, of spec or C."""
    found = {word.replace("VMI_RIGHT_", "").lower()
             for word in re.findall(r"\w+", words)}
    return found - {"0"}


def of_spec(spec):
    return {int(number): (name, int(args), rights(needed), user == "yes",
                          drains == "yes", target)
            for number, name, args, needed, user, drains, target in
            SPEC_ROW.findall(spec)}


def of_c(source):
    return {numbers()[name]: (name, int(args), rights(needed), user == "YES",
                              drains == "YES", TARGETS[target])
            for name, args, needed, user, drains, target in
            C_ROW.findall(source)}


def table(spec, source):
    ours, theirs = of_spec(spec), of_c(source)
    for number in sorted(ours.keys() | theirs.keys()):
        same(f"call {number} of the hypervisor", theirs.get(number),
             ours.get(number))
    same("the calls of the header", sorted(numbers().values()), sorted(ours))


def unit_test():
    source = text("hypervisor-stub/core/dispatch.c")
    tested = {numbers()[name]: (rights(needed), user == "true",
                                target == "true")
              for name, needed, user, target in
              TEST_ROW.findall(text("tests/unit/test_dispatch.c"))}
    same("what is tested", tested,
         {number: (row[2], row[3], row[5] != "-")
          for number, row in of_c(source).items()})


def found():
    """A row that is gone, or another in one place."""
    spec = text("spec/neighbours.md")
    source = text("hypervisor-stub/core/dispatch.c")
    for old, new in (("| 18 | State |", "| 18 | Stat |"),
                     ("| 18 | State |", "| 19 | State |"),
                     ("| yes | yes | - |", "| no | yes | - |"),
                     ("| manage |", "| introspect |")):
        expect(old in spec, f"the table has no {old!r}")
        try:
            table(spec.replace(old, new, 1), source)
        except Exception:
            continue
        expect(False, f"{new!r} is not found")


test_all([("the tables are the same", table, text("spec/neighbours.md"),
           text("hypervisor-stub/core/dispatch.c")),
          ("every row is tested", unit_test),
          ("a difference is found", found)])
