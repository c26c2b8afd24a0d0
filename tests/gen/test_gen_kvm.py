#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What gen_kvm.py refuses, with the exact message, and what it makes of a small set of rules."""

import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(__file__), "../.."))

FILES = {
    "sources.txt": "book  A manual\n",
    "features.txt": "leaf 7.0 ebx  source book\n5  avx2  and  any  AVX2\n6  other  and  any  Other\n",
    "kvm.txt": "tree 4.4.1 4.4.1  @book\ntree 6.1.4 6.1.4  @book\noption ept yes  @book\n"
               "avx2  pass  all  -  @book\n",
    "kvm-linux.txt": "linux:flag  set  all  raw:other  @book\n",
}

# What the row proves, the file, what is added to it, the message; None: it is accepted.
ROWS = [
    ("an unknown feature", "kvm.txt", "nosuch  pass  all  -  @book\n", "kvm.txt:5: unknown feature nosuch"),
    ("an unknown tree", "kvm.txt", "other  pass  5.5  -  @book\n", "kvm.txt:5: unknown tree 5.5"),
    ("trees in the wrong order", "kvm.txt", "other  pass  6.1.4..4.4.1  -  @book\n",
     "kvm.txt:5: 6.1.4..4.4.1: the trees are in the other order"),
    ("an unknown way", "kvm.txt", "other  sometimes  all  -  @book\n",
     "kvm.txt:5: not FEATURE HOW TREES CONDITION, HOW one of pass raw always synth intel amd vmx clear never"),
    ("a missing source", "kvm.txt", "other  pass  all  -\n", "kvm.txt:5: missing source"),
    ("an unknown source", "kvm.txt", "other  pass  all  -  @rumour\n",
     "kvm.txt:5: unknown source rumour: add it to sources.txt"),
    ("a doubled rule", "kvm.txt", "avx2  pass  all  -  @book\n",
     "kvm.txt:5: this rule of avx2 is already there (kvm.txt:4)"),
    ("an unknown option", "kvm.txt", "other  pass  all  option:npt  @book\n", "kvm.txt:5: unknown option npt"),
    ("an unknown flag", "kvm.txt", "other  pass  all  linux:nosuch  @book\n",
     "kvm.txt:5: unknown flag linux:nosuch: kvm-linux.txt does not set it before"),
    ("an unknown feature in a condition", "kvm.txt", "other  pass  all  raw:nosuch  @book\n",
     "kvm.txt:5: unknown feature nosuch"),
    ("KVM's answer in a rule that makes it", "kvm.txt", "other  synth  all  kvm:avx2  @book\n",
     "kvm.txt:5: kvm:avx2: only QEMU's lines follow KVM's answer"),
    ("a doubled line of QEMU's", "kvm.txt", "qemu-adds other 10.0 -  @book\nqemu-adds other 10.0 intel  @book\n",
     "kvm.txt:6: other of 10.0 is already there (kvm.txt:5)"),
    ("KVM's answer in a line of QEMU's", "kvm.txt",
     "other  synth  all  -  @book\nqemu-adds other 10.0 kvm:avx2 & unknown  @book\nqemu-adds other 10.2 kvm:avx2  @book\n", None),
    ("a word that is none", "kvm.txt", "other  pass  all  sometimes  @book\n",
     "kvm.txt:5: bad condition at: sometimes"),
    ("two terms without a sign", "kvm.txt", "other  pass  all  intel amd  @book\n",
     "kvm.txt:5: bad condition: misplaced amd"),
    ("a sign without a term", "kvm.txt", "other  pass  all  intel &  @book\n",
     "kvm.txt:5: bad condition: it ends too early"),
    ("an open bracket", "kvm.txt", "other  pass  all  (intel  @book\n",
     "kvm.txt:5: bad condition: it ends too early"),
    ("a bracket that was not opened", "kvm.txt", "other  pass  all  intel)  @book\n",
     "kvm.txt:5: bad condition: ) without ("),
    ("a model that is no number", "kvm.txt", "other  pass  all  model in {one}  @book\n",
     "kvm.txt:5: bad condition: not numbers: one"),
    ("a doubled tree", "kvm.txt", "tree 4.4.1 4.4.1  @book\n", "kvm.txt:5: 4.4.1 is already there (kvm.txt:1)"),
    ("a tree without version", "kvm.txt", "tree el7 seven  @book\n", "kvm.txt:5: not a kernel version: seven"),
    ("a parameter of nothing", "kvm.txt", "parameter npt npt  @book\n", "kvm.txt:5: unknown option npt"),
    ("a line that says too little", "kvm.txt", "limit avx2  @book\n", "kvm.txt:5: limit says too little"),
    ("a flag used before it is set", "kvm-linux.txt", "linux:avx2  clear  all  bug:late  @book\n",
     "kvm-linux.txt:2: unknown flag bug:late: kvm-linux.txt does not set it before"),
    ("a view that is none", "kvm-linux.txt", "avx2  clear  all  -  @book\n",
     "kvm-linux.txt:2: not linux:FEATURE|FLAG or bug:FLAG, set or clear, TREES CONDITION"),
    ("rules in their form", "kvm.txt",
     "other  synth  6.1.4  linux:flag & !(option:ept | family>=0x17)  @book\n", None),
]


def generate(folder):
    out = os.path.join(folder, "kvm.c")
    done = subprocess.run([sys.executable, os.path.join(TOP, "tools/gen_kvm.py"), "--data", folder, "--out", out],
                          capture_output=True, text=True, check=False)
    text = ""
    if os.path.exists(out):
        with open(out, encoding="utf-8") as stream:
            text = stream.read()
    return done.returncode, done.stderr.strip(), text


def try_row(file, extra):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
                stream.write(text + (extra if name == file else ""))
        return generate(folder)


def main():
    failed = 0
    print(f"1..{len(ROWS) + 1}")
    for number, (what, file, extra, message) in enumerate(ROWS, 1):
        status, said, text = try_row(file, extra)
        good = said == message and status == 1 if message else not status and "EVC_KVM_SYNTH" in text
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
        if not good:
            print(f"# said: {said}")
            failed += 1
    # "&" binds closer than "|", "!" closest: the program in postfix.
    _, _, text = try_row("kvm.txt", "other  synth  all  intel | amd & !zhaoxin  @book\n")
    code = " ".join(line.split()[1].rstrip(",") for line in text.splitlines() if "{ EVC_OP_" in line)
    good = "EVC_OP_INTEL EVC_OP_AMD EVC_OP_ZHAOXIN EVC_OP_NOT EVC_OP_AND EVC_OP_OR EVC_OP_END" in code
    print(f"{'ok' if good else 'not ok'} {len(ROWS) + 1} - conditions bind as in C")
    return 1 if failed or not good else 0


if __name__ == "__main__":
    sys.exit(main())
