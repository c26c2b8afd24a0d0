#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What gen_vuln.py and gen_userland.py refuse, with the exact message."""

import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(__file__), "../.."))

FILES = {
    "sources.txt": "book  A manual\n",
    "features.txt": "leaf 7.0 ebx  source book\n5  avx2  and  any  AVX2\n\nmsr 10a CAPS  source book\n0  rdcl-no  and  any  No\n",
    "linux/6.1.txt": "tree 6.1\ntitle Some kernel\nsource book\nflag IBRS 0:1 ibrs\nbug MDS 1 mds\n",
    "linux-vuln.txt": "let some  IBRS & !off  @book\nfile mds bug:MDS  @book\n  some => Mitigation: Yes\n",
    "userland.txt": "state ymm avx2  @book\nhwcaps v3  avx2  @book\ngcc 12 haswell  intel & model=3c,3f  @book\n",
}

# What the row proves, the generator, the file, what is added to it, the message; None: it is accepted.
ROWS = [
    ("an unknown flag", "gen_vuln", "  NOSUCH => Vulnerable\n", "linux-vuln.txt:4: unknown term NOSUCH"),
    ("an unknown bug", "gen_vuln", "  bug:NOSUCH => Vulnerable\n", "linux-vuln.txt:4: unknown term bug:NOSUCH"),
    ("an unknown kernel", "gen_vuln", "  tree:5.0 => Vulnerable\n", "linux-vuln.txt:4: unknown term tree:5.0"),
    ("a feature of another MSR", "gen_vuln", "  cap:avx2 => Vulnerable\n", "linux-vuln.txt:4: unknown term cap:avx2"),
    ("a line that cannot be reached", "gen_vuln", "  - => Vulnerable\n  IBRS => Vulnerable\n",
     "linux-vuln.txt:5: cannot be reached: the line before always holds (linux-vuln.txt:4)"),
    ("a text of no sort", "gen_vuln", "  - => Perhaps\n", "linux-vuln.txt:4: no sort of answer begins with: Perhaps"),
    ("a line without a text", "gen_vuln", "  IBRS\n", "linux-vuln.txt:4: not CONDITION => TEXT"),
    ("a doubled file", "gen_vuln", "file mds IBRS  @book\n", "linux-vuln.txt:4: file mds is already there"),
    ("a doubled name", "gen_vuln", "let some IBRS  @book\n", "linux-vuln.txt:4: some is already there"),
    ("a file without a source", "gen_vuln", "file other bug:MDS\n", "linux-vuln.txt:4: missing source"),
    ("a file of which no bug tells which kernels have it", "gen_vuln", "file other IBRS  @book\n",
     "linux-vuln.txt:4: no bug tells which kernels have other: say exists CONDITION"),
    ("a sign without a term", "gen_vuln", "  IBRS & => Vulnerable\n",
     "linux-vuln.txt:4: bad condition: a term is missing before the end"),
    ("an open bracket", "gen_vuln", "  (IBRS => Vulnerable\n", "linux-vuln.txt:4: bad condition: ( without )"),
    ("rules in their form", "gen_vuln", "part\n  cap:rdcl-no | since:6.1 & (tree:6.1) => ; more\n", None),
    ("an unknown feature", "gen_userland", "hwcaps v4  avx9  @book\n", "userland.txt:4: unknown feature avx9"),
    ("an unknown state", "gen_userland", "uses zmm avx2  @book\n", "userland.txt:4: unknown state zmm"),
    ("a doubled state", "gen_userland", "state ymm avx2  @book\n", "userland.txt:4: state ymm is already there"),
    ("a doubled directory", "gen_userland", "hwcaps v3  avx2  @book\n", "userland.txt:4: v3 is already there"),
    ("a version that is none", "gen_userland", "gcc new haswell  intel  @book\n",
     "userland.txt:4: new is not a version of GCC"),
    ("an unknown word", "gen_userland", "clang 12 haswell  @book\n", "userland.txt:4: unknown word clang, or too few after it"),
    ("a signature that is too long", "gen_userland", "hypervisor - kvm - - FarTooLongAName  @book\n",
     "userland.txt:4: FarTooLongAName: more than twelve characters"),
    ("a missing source of a view", "gen_userland", "hwcaps v4  avx2\n", "userland.txt:4: missing source"),
]


def generate(directory, generator):
    done = subprocess.run([sys.executable, os.path.join(TOP, "tools", generator + ".py"), "--data", directory, "--out",
                           os.path.join(directory, "out.c")], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def main():
    failed = 0
    for number, (name, generator, added, message) in enumerate(ROWS, 1):
        target = "linux-vuln.txt" if generator == "gen_vuln" else "userland.txt"
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "linux"))
            for file, text in FILES.items():
                with open(os.path.join(directory, file), "w", encoding="utf-8") as out:
                    out.write(text + (added if file == target else ""))
            status, said = generate(directory, generator)
        good = (status, said) == ((1, message) if message else (0, ""))
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {'refuses ' if message else 'accepts '}{name}")
        if not good:
            print(f"# {status}: {said}")
    print(f"1..{len(ROWS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
