#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The interface as numbers, from the headers, one per line.

usage: abi.py dump NAME [INCLUDE]     print it
       abi.py check NAME [INCLUDE]    compare it with NAME.abi beside this file
       abi.py update NAME [INCLUDE]   the same, then write NAME.abi

NAME.abi is what has been released (spec/vmi.md, VMI-4). INCLUDE is the
directory of the headers, spec/include without it. Status: 0 compatible; 1 not,
with the differences on standard output.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
INCLUDE = os.path.join(HERE, "../include")

# An incompatible change needs another value of MAJOR, and a new line of one
# of the kinds in GROWS a greater MINOR.
INTERFACES = {
    "vmi": {"prefix": "vmi", "major": "VMI_API_MAJOR",
            "minor": "VMI_API_MINOR", "grows": ("call", "enum", "struct")},
    "stub": {"prefix": "stub", "major": "STUB_LAYOUT",
             "minor": None, "grows": ()},
    "vmi64": {"prefix": "vmi64", "major": "VMI64_API_MAJOR",
              "minor": "VMI64_API_MINOR", "grows": ("call", "enum", "struct")},
    "stub64": {"prefix": "stub64", "major": "STUB64_LAYOUT",
               "minor": None, "grows": ()},
}
HEADERS = {"vmi": "vmi.h", "stub": "vmi_stub.h",
           "vmi64": "vmi64.h", "stub64": "vmi_stub64.h"}


class Broken(Exception):
    """The headers cannot be read; the text says why."""


# ---- from the headers -------------------------------------------------------

def gcc(include, *args, text=None):
    run = subprocess.run(
        ["gcc", "-m32", "-std=gnu11", "-ffreestanding", "-I", include, *args],
        input=text, capture_output=True, text=True, check=False)
    if run.returncode:
        raise Broken(run.stderr.strip())
    return run.stdout


def constants(include, header, prefix):
    """Macros with a value that the header itself defines."""
    text = gcc(include, "-E", "-dM", "-x", "c", "-", text=header)
    return sorted(re.findall(rf"^#define ({prefix.upper()}_\w+) \S", text,
                             re.M))


def fields(body):
    for declaration in re.sub(r"__attribute__\(\(\w+\)\)", "", body).split(";"):
        match = re.fullmatch(r"\s*(?:struct \w+|\w+)\s+(.*)", declaration,
                             re.S)
        for name in match[1].split(",") if match else []:
            name = name.split("[")[0].strip()
            if name != "pad":       # nobody's: may become something
                yield name


def expressions(include, name):
    """(line without its value, C expression) for every number."""
    prefix = INTERFACES[name]["prefix"]
    header = f'#include "{HEADERS[name]}"\n'
    for constant in constants(include, header, prefix):
        yield f"constant {constant}", constant
    text = gcc(include, "-E", "-P", "-x", "c", "-", text=header)
    for enum, body in re.findall(rf"\benum ({prefix}_\w+) \{{(.*?)\}}", text,
                                 re.S):
        kind = "call" if enum == f"{prefix}_call" else f"enum {enum}"
        for value in re.findall(r"(\w+)\s*=", body):
            yield f"{kind} {value}", value
    for struct, body in re.findall(rf"\bstruct ({prefix}_\w+) \{{(.*?)\n?\}}",
                                   text, re.S):
        yield f"struct {struct} size", f"sizeof(struct {struct})"
        for field in fields(body):
            yield (f"struct {struct} {field} offset",
                   f"__builtin_offsetof(struct {struct}, {field})")
            yield (f"struct {struct} {field} size",
                   f"sizeof(((struct {struct} *)0)->{field})")


def dump(name, include):
    """An ordered dictionary: line without its value -> value."""
    pairs = list(expressions(include, name))
    if not pairs:
        raise Broken(f"nothing found in {HEADERS[name]}")
    text = f'#include "{HEADERS[name]}"\nvoid f(void) {{\n'
    for i, (_, expression) in enumerate(pairs):
        text += (f'__asm__ volatile(".ascii \\"->{i} %c0\\"" : : '
                 f'"i"((int)({expression})));\n')
    with tempfile.NamedTemporaryFile(suffix=".s") as out:
        gcc(include, "-O1", "-S", "-o", out.name, "-x", "c", "-",
            text=text + "}\n")
        found = re.findall(r'->(\d+) (-?\d+)', out.read().decode())
    values = {int(i): int(value) & 0xffffffff for i, value in found}
    return {line: values[i] for i, (line, _) in enumerate(pairs)}


# ---- against what was released ----------------------------------------------

def path_of(name):
    return os.path.join(HERE, name + ".abi")


def shown(value):
    return f"{value:#x}"


def load(name):
    released = {}
    with open(path_of(name), encoding="ascii") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                key, value = line.rsplit(None, 1)
                released[key] = int(value, 0)
    return released


def differences(released, now, may_grow):
    """Lines of the kind of diff: what is gone, what is new."""
    gone, new = [], []
    for key, value in released.items():
        grown = key.endswith("_COUNT") or key == may_grow
        if now.get(key) == value or (grown and now.get(key, 0) > value):
            continue
        gone.append(f"-{key} {shown(value)}")
        if key in now:
            gone.append(f"+{key} {shown(now[key])}")
    for key, value in now.items():
        if key not in released:
            new.append((key, f"+{key} {shown(value)}"))
    return gone, new


def check(name, released, now):
    """False, after saying why, if a version has to change."""
    rule = INTERFACES[name]
    major = f"constant {rule['major']}"
    minor = rule["minor"] and f"constant {rule['minor']}"
    if now.get(major, 0) > released[major]:
        return True             # another interface, which has no past
    gone, new = differences(released, now, minor)
    if gone:
        print("\n".join(gone))
        print(f"{name}: incompatible with what was released, while "
              f"{rule['major']} is still {released[major]}")
        return False
    grown = [line for key, line in new
             if key.split(None, 1)[0] in rule["grows"]]
    if grown and now[minor] == released[minor]:
        print("\n".join(grown))
        print(f"{name}: new since the release, while {rule['minor']} is still "
              f"{released[minor]}")
        return False
    return True


def update(name, now):
    with open(path_of(name), "w", encoding="ascii") as f:
        f.write("# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause\n"
                f"# {HEADERS[name]} as it was released; made by make abi.\n")
        for key, value in now.items():
            f.write(f"{key} {shown(value)}\n")


def main():
    args = sys.argv[1:]
    if len(args) not in (2, 3) or args[1] not in INTERFACES or \
            args[0] not in ("dump", "check", "update"):
        print(__doc__, file=sys.stderr)
        return 2
    command, name = args[:2]
    try:
        now = dump(name, args[2] if len(args) == 3 else INCLUDE)
    except Broken as why:
        print(f"abi.py: {HEADERS[name]}: {why}", file=sys.stderr)
        return 2
    if command == "dump":
        for key, value in now.items():
            print(key, shown(value))
        return 0
    if os.path.exists(path_of(name)) and not check(name, load(name), now):
        return 1
    if command == "update":
        update(name, now)
    return 0


if __name__ == "__main__":
    sys.exit(main())
