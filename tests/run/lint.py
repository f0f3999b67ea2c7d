#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What tools say about the sources: the compiler's warnings are on for all C,
each header compiles alone, style, spelling, licences."""

import sys
sys.dont_write_bytecode = True
import os
import re
import shlex
import subprocess

from harness import BUILD, ROOT, Failed, expect, same, test_all, test_one

CHECKPATCH = os.path.join(BUILD, "linux/src/scripts/checkpatch.pl")

# Where CONTRIBUTING.md says that our style is not the kernel's.
CHECKPATCH_IGNORE = (
    # the kernel's macros, which are not here, and names that it has elsewhere
    "ARRAY_SIZE", "PREFER_DEFINED_ATTRIBUTE_MACRO", "DEPRECATED_API",
    "USE_SPINLOCK_T",
    # memory that somebody else writes; symbols of the linker and of NASM
    "VOLATILE", "AVOID_EXTERNS",
    # tables by macro, and __int128 and sums of constants, which it misreads
    "COMPLEX_MACRO", "BRACKET_SPACE", "TRAILING_SEMICOLON",
    "MACRO_WITH_FLOW_CONTROL", "MULTISTATEMENT_MACRO_USE_DO_WHILE",
    "SUSPECT_COMMA_SEMICOLON", "UNSPECIFIED_INT", "CONSTANT_COMPARISON",
    # assembly in strings
    "LEADING_SPACE", "EMBEDDED_FUNCTION_NAME",
    # a comment ends on its last line, a message on the 80th column, and a
    # prototype names what its type does not say
    "BLOCK_COMMENT_STYLE", "SPLIT_STRING", "FUNCTION_ARGUMENTS",
)

WARNINGS = {"-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Werror",
            "-Wmissing-prototypes", "-Wstrict-prototypes"}

# Terms of manuals, of assemblers and of Linux, and British English.
WORDS = "ist,struc,nd,extint,thre,tje,useable"

# Compiled in the kernel's tree, with its headers; and by the commands of
# spec/writing-a-guest.md, which tests/run/example.py follows.
KERNEL = "guest-linux/src/"
EXAMPLE = "spec/example/"

# Binary, or what a tool wrote, or what git itself reads.
NO_LICENCE = re.compile(r"LICENSE-|tests/data/|tests/(fuzz|mutants)/RECORD$")


def sources():
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders
                      if name not in ("build", ".git", "corpus")]
        found += [os.path.relpath(os.path.join(folder, name), ROOT)
                  for name in files]
    return sorted(found)


def first_line(path):
    with open(os.path.join(ROOT, path), "rb") as f:
        return f.readline()


def run(*command, text=None):
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True,
                          text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def quiet(*command):
    """It has nothing to say."""
    status, said = run(*command)
    lines = said.splitlines()
    expect(not said and status == 0, f"{len(lines)} lines, status {status}: "
           + " | ".join(lines[:5]))


# ---- what make would compile, and how ---------------------------------------

def commands():
    """Each compiler command as (sources, arguments)."""
    status, said = run("env", "OPENVMI_LOCKED=" + ROOT, "make", "-nB",
                       "--no-print-directory", "programs")
    expect(status == 0, said[-200:])
    found = []
    for line in said.replace("\\\n", " ").splitlines():
        if not re.match(r"(gcc|clang) .*\.c( |$)", line):
            continue
        # HV_CFLAGS asks the compiler where its headers are.
        line = re.sub(r"\$\((.*?)\)",
                      lambda match: run("sh", "-c", match[1])[1], line)
        arguments = shlex.split(line)
        compiled = [name for name in arguments if name.endswith(".c")]
        if compiled:
            found.append((compiled, arguments))
    return found


def all_compiled(compiled, files):
    known = {os.path.normpath(name) for names, _ in compiled for name in names}
    same("what make does not compile", [name for name in files
         if name.endswith(".c") and name not in known
         and not name.startswith((KERNEL, EXAMPLE))], [])
    for names, arguments in compiled:
        same(f"what {names[0]} is compiled without",
             sorted(WARNINGS.difference(arguments)), [])


def flags(arguments):
    """Without what names files, or says what to make of them."""
    kept, skip = [], False
    for argument in arguments[1:]:
        if argument == "-o":
            skip = True
        elif skip or argument in ("-c", "-S", "-MMD", "-MP", "-shared") or \
                re.search(r"^-(l|Wl)|^[^-].*\.[coa]$", argument):
            skip = False
        else:
            kept.append(argument)
    return [arguments[0], *kept]


def owner(header, compiled):
    """The command for a source in its folder; else one that has the folder in
    its include path; else the nearest above."""
    folder = os.path.dirname(header)
    for names, arguments in compiled:
        if any(os.path.dirname(name) == folder for name in names):
            return arguments
    for _, arguments in compiled:
        if f"-I{folder}" in arguments:
            return arguments
    while folder:
        folder = os.path.dirname(folder)
        for names, arguments in compiled:
            if any(name.startswith(folder + "/") for name in names):
                return arguments
    raise Failed(f"nothing that is compiled could include {header}")


def headers_alone(compiled, headers):
    expect(headers, "there are none")
    for header in headers:
        status, said = run(*flags(owner(header, compiled)), "-fsyntax-only",
                           "-x", "c", "-include", "./" + header, "/dev/null")
        expect(status == 0 and not said, f"{header}: "
               + " | ".join(said.splitlines()[:3]))


# ---- style, spelling, licences ----------------------------------------------

def checkpatch(files):
    quiet("perl", CHECKPATCH, "--no-tree", "--no-summary", "--terse",
          "--show-types", "--max-line-length=80",
          "--ignore", ",".join(CHECKPATCH_IGNORE), "-f", *files)


def licences(files):
    missing = []
    for name in files:
        with open(os.path.join(ROOT, name), "rb") as f:
            if b"SPDX-License-Identifier: " not in f.read(300):
                missing.append(name)
    same("without SPDX-License-Identifier", missing, [])


def folder_of(name):
    """Such as rom, or tests/attack."""
    parts = name.split("/")
    return "/".join(parts[:2 if parts[0] == "tests" else 1])


def by_folder(files):
    groups = {}
    for name in files:
        groups.setdefault(folder_of(name), []).append(name)
    return groups.items()


def main():
    files = sources()
    code = [name for name in files if name.endswith((".c", ".h"))]
    shell = [name for name in files
             if re.match(rb"#!.*\b(ba)?sh\b", first_line(name))]
    python = [name for name in files if name.endswith(".py")
              or re.match(rb"#!.*\bpython3?\b", first_line(name))]
    text = [name for name in files
            if not re.match(r"tests/data/|.*\.svg$|guest-linux/config", name)]

    # The longest first.
    tests = [(f"checkpatch of {folder}", checkpatch, names) for folder, names in
             sorted(by_folder(code), key=lambda group: -len(group[1]))]
    compiled = test_one("make says how C is compiled", commands)
    if compiled:
        tests += [("all C is compiled with the warnings", all_compiled,
                   compiled, files)]
        tests += [(f"headers of {folder} compile alone", headers_alone,
                   compiled, names) for folder, names in
                  by_folder(name for name in code if name.endswith(".h")
                            and not name.startswith(KERNEL))]
    test_all([
        *tests,
        ("shellcheck", quiet, "shellcheck", *shell),
        ("flake8", quiet, "flake8", "--isolated",
         "--extend-ignore=E402,E501", *python),
        ("spelling", quiet, "codespell", "-L", WORDS, *text),
        ("licences", licences, [name for name in files
                                if not NO_LICENCE.match(name)]),
    ])


main()
