#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What gen_instructions.py refuses, with the exact message; and whether the bytes of data/instructions.txt are what its text says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(__file__), "../.."))

FILES = {
    "sources.txt": "book  A manual\n",
    "features.txt": "leaf 7.0 ebx  source book\n5  avx2  and  any  AVX2\n6  other  and  any  Other\n",
    "instructions.txt": "control avx  cr4  avx2  AVX  @book\n"
                        "vpaddd  avx2  runs  avx | c5 fd fe c0 | vpaddd ymm0,ymm0,ymm0 |  @book\n",
}

# What the row proves, what is added to instructions.txt, the message; None: it is accepted.
ROWS = [
    ("an unknown feature", "foo  nosuch  runs  - | 90 | nop |  @book\n", "instructions.txt:3: unknown feature nosuch"),
    ("an unknown control", "foo  other  runs  bar | 90 | nop |  @book\n", "instructions.txt:3: unknown control bar"),
    ("a proof that is none", "foo  other  maybe  - | 90 | nop |  @book\n",
     "instructions.txt:3: maybe is no proof: runs, protected or a number"),
    ("bytes that are none", "foo  other  runs  - | 9 | nop |  @book\n",
     "instructions.txt:3: bytes are 1 to 20 pairs of hexadecimal digits"),
    ("a missing text", "foo  other  runs  - | 90 | |  @book\n",
     "instructions.txt:3: not NAME FEATURE PROOF CONTROLS | BYTES | TEXT | SILENT @SOURCE"),
    ("a missing source", "foo  other  runs  - | 90 | nop |\n", "instructions.txt:3: missing source"),
    ("an unknown source", "foo  other  runs  - | 90 | nop |  @rumour\n",
     "instructions.txt:3: unknown source rumour: add it to sources.txt"),
    ("a doubled instruction", "vpaddd  other  runs  - | 90 | nop |  @book\n",
     "instructions.txt:3: instruction vpaddd is already there (line 2)"),
    ("a doubled control", "control avx  cr4  avx2  AVX  @book\n", "instructions.txt:3: control avx is already there (line 1)"),
    ("a control of an unknown kind", "control foo  dr7  avx2  AVX  @book\n",
     "instructions.txt:3: not control NAME xcr0|cr4|msr|vmx|svm BASE TITLE @SOURCE"),
    ("a control that nothing obeys", "control foo  cr4  avx2  FOO  @book\n",
     "instructions.txt:3: no instruction is under the control foo"),
    ("a state that is no feature", "control foo  xcr0  avx2  xcr0-nosuch  @book\nbar  other  runs  foo | 90 | nop |  @book\n",
     "instructions.txt:3: unknown feature xcr0-nosuch"),
    ("a value as proof", "foo  other  31  avx | b9 01 00 00 00 90 | mov ecx,0x1; nop | it is a no-op  @book\n", None),
]

# What objdump has learnt after binutils 2.40.
YOUNG = {"vsha512msg1", "vsm3msg1", "vsm4key4", "vpdpwsud", "rex2"}


def refusal(added):
    with tempfile.TemporaryDirectory() as directory:
        for name, text in FILES.items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as out:
                out.write(text + (added if name == "instructions.txt" else ""))
        done = subprocess.run([sys.executable, os.path.join(TOP, "tools/gen_instructions.py"), "--data", directory],
                              capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else None


SLOT = 48  # bytes for each, the rest is NOPs, after which a disassembler is in step again


def disassemble(codes):
    """What objdump says of each."""
    with tempfile.NamedTemporaryFile() as stream:
        for code in codes:
            stream.write(bytes.fromhex(code).ljust(SLOT, b"\x90"))
        stream.flush()
        done = subprocess.run(["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", stream.name],
                              capture_output=True, text=True, check=True)
    texts = [[] for _ in codes]
    for line in done.stdout.splitlines():
        match = re.match(r"\s+([0-9a-f]+):\t[0-9a-f ]+\t(.*)", line)
        if match:
            slot, at = divmod(int(match[1], 16), SLOT)
            if at < len(bytes.fromhex(codes[slot])):
                texts[slot].append(" ".join(match[2].split()))
    return ["; ".join(text) for text in texts]


def instructions():
    with open(os.path.join(TOP, "data/instructions.txt"), encoding="utf-8") as stream:
        for line in stream:
            if "|" in line and not line.startswith("#"):
                columns = [column.strip() for column in line.split("|")]
                yield columns[0].split()[0], columns[1], columns[2]


def main():
    rows, known = ROWS, list(instructions())
    print(f"1..{len(rows) + len(known)}")
    failed = 0
    for number, (name, added, want) in enumerate(rows, 1):
        got = refusal(added)
        failed += got != want
        print("ok" if got == want else "not ok", number, "-", ("refuses " if want else "takes ") + name)
        if got != want:
            print(f"# wanted {want}\n# got    {got}")
    said = disassemble([code for _, code, _ in known]) if shutil.which("objdump") else None
    for index, (name, code, text) in enumerate(known):
        number = len(rows) + index + 1
        if not said:
            print(f"ok {number} - {text} # SKIP objdump is not installed")
            continue
        got = said[index]
        if name in YOUNG and "(bad)" in got:
            print(f"ok {number} - {text} # SKIP this objdump does not know it")
            continue
        failed += got != text
        print("ok" if got == text else "not ok", number, "-", "objdump reads", code, "as", text)
        if got != text:
            print(f"# got {got}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
