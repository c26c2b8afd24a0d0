#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the generator refuses, with the exact message: each names the place, and the other one."""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(__file__), "../.."))

FILES = {
    "sources.txt": "book  A manual\n",
    "features.txt": "leaf 7.0 ebx  source book\n"
                    "5  avx2  and  any  AVX2\n"
                    "6  warning  or  any  A warning\n"
                    "7  other  and  intel  Another\n"
                    "9:8  field  min  any  A field\n",
    "needs.txt": "",
    "names.txt": "",
    "costs.txt": "",
    "removed.txt": "",
    "modes.txt": "mode intel-one\n",
    "generations.txt": "",
}

# What the row proves, the file, what is added to it, the message.
ROWS = [
    ("a doubled bit", "features.txt", "5  avx3  and  any  Again\n",
     "features.txt:6: 7.0:ebx[5] is already avx2 (line 2)"),
    ("a bit within a field", "features.txt", "8  part  and  any  Part\n",
     "features.txt:6: 7.0:ebx[8] is already field (line 5)"),
    ("a doubled name", "features.txt", "10  avx2  and  any  Again\n",
     "features.txt:6: avx2 is already 7.0:ebx[5] (line 2)"),
    ("a name that differs in punctuation only", "features.txt", "10  a-b  and  any  One\n11  a.b  and  any  Two\n",
     "features.txt:7: a.b is already 7.0:ebx[10] (line 6)"),
    ("an unknown rule", "features.txt", "10  x  xor  any  X\n",
     "features.txt:6: unknown rule xor: one of and, or, min, max, same, own, calc"),
    ("an unknown vendor", "features.txt", "10  x  and  acme  X\n", "features.txt:6: unknown vendor acme"),
    ("an unknown source", "features.txt", "10  x  and  any  X  @rumour\n",
     "features.txt:6: unknown source rumour: add it to sources.txt"),
    ("a heading without source", "features.txt", "leaf 7.0 ecx  source\n", "features.txt:6: missing source"),
    ("a bad heading", "features.txt", "leaf seven\n",
     "features.txt:6: not a heading: leaf LEAF.SUBLEAF REGISTER source KEY, or msr INDEX NAME source KEY"),
    ("a row without title", "features.txt", "10  x  and  any\n",
     "features.txt:6: not a feature: BIT[:BIT] NAME RULE VENDORS TITLE [  @SOURCE]"),
    ("an upper-case name", "features.txt", "10  X  and  any  X\n",
     "features.txt:6: X is not a name: lower case letters, digits, hyphens"),
    ("a bit that must be the same", "features.txt", "10  x  same  any  X\n",
     "features.txt:6: \"same\" is for fields: zero is a value that asks for nothing"),
    ("a bit outside its register", "features.txt", "32  x  and  any  X\n",
     "features.txt:6: bits 32:32 are not in a register of 32 bits"),
    ("a doubled source", "sources.txt", "book  Again\n", "sources.txt:2: source book is already there (line 1)"),
    ("a source without title", "sources.txt", "page\n", "sources.txt:2: source page has no title"),
    ("a need of an unknown feature", "needs.txt", "nosuch  avx2  why  @book\n", "needs.txt:1: unknown feature nosuch"),
    ("a need for an unknown feature", "needs.txt", "avx2  nosuch  why  @book\n", "needs.txt:1: unknown feature nosuch"),
    ("a need without source", "needs.txt", "avx2  other  why\n", "needs.txt:1: missing source"),
    ("a need with an unknown source", "needs.txt", "avx2  other  why  @rumour\n",
     "needs.txt:1: unknown source rumour: add it to sources.txt"),
    ("a need for a warning", "needs.txt", "avx2  warning  why  @book\n",
     "needs.txt:1: avx2 cannot need warning: it is an \"or\" bit (features.txt:3)"),
    ("a need of a warning", "needs.txt", "warning  avx2  why  @book\n",
     "needs.txt:1: warning cannot need: it is an \"or\" bit (features.txt:3)"),
    ("a need of a register without levelled features", "needs.txt", "7.1:eax  avx2  why  @book\n",
     "needs.txt:1: nothing is levelled in 7.1:eax"),
    ("a doubled need", "needs.txt", "avx2  other  why  @book\navx2  other  why  @book\n",
     "needs.txt:2: avx2 already needs other (line 1)"),
    ("a cycle", "needs.txt", "avx2  other  why  @book\nother  avx2  why  @book\n",
     "needs.txt:2: a cycle: avx2 needs other needs avx2 (also needs.txt:1)"),
    ("an incomplete need", "needs.txt", "avx2\n", "needs.txt:1: not a need: FEATURE NEEDS WHY  @SOURCE"),
    ("a name for an unknown feature", "names.txt", "qemu:x  nosuch\n", "names.txt:1: unknown feature nosuch"),
    ("an unknown name space", "names.txt", "bsd:x  avx2\n",
     "names.txt:1: unknown name space bsd: one of qemu, libvirt, linux, vmware, xen"),
    ("a doubled foreign name", "names.txt", "qemu:a_b  avx2\nqemu:a-b  avx2\n",
     "names.txt:2: qemu:a-b is already avx2 (line 1)"),
    ("two printed names in one space", "names.txt", "qemu:x  avx2\nqemu:y  avx2\n",
     "names.txt:2: avx2 already has a name in qemu (line 1): mark one \"also\""),
    ("a bad name", "names.txt", "avx2\n", "names.txt:1: not a name: SPACE:NAME FEATURE [also]"),
    ("a cost of an unknown feature", "costs.txt", "nosuch  much\n", "costs.txt:1: unknown feature nosuch"),
    ("a doubled cost", "costs.txt", "avx2  much\navx2  more\n", "costs.txt:2: avx2 already has a cost (line 1)"),
    ("a removal of an unknown feature", "removed.txt", "nosuch  any  2019  gone  @book\n",
     "removed.txt:1: unknown feature nosuch"),
    ("a removal without source", "removed.txt", "avx2  any  2019  gone\n", "removed.txt:1: missing source"),
    ("a removal by an unknown vendor", "removed.txt", "avx2  acme  2019  gone  @book\n",
     "removed.txt:1: unknown vendor acme"),
    ("a removal without year", "removed.txt", "avx2  any  gone  @book\n",
     "removed.txt:1: not a removal: FEATURE VENDOR YEAR TEXT  @SOURCE"),
    ("a doubled removal", "removed.txt", "avx2  any  2019  gone  @book\navx2,other  any  2020  gone  @book\n",
     "removed.txt:2: avx2 is already removed (line 1)"),
    ("a cost without text", "costs.txt", "avx2\n", "costs.txt:1: not a cost: FEATURE TEXT"),
    ("a generation without source", "generations.txt", "intel 6 1 * A | B | server | 1995 | -\n",
     "generations.txt:1: missing source"),
    ("a generation of four parts", "generations.txt", "intel 6 1 * A | B | server | 1995  @book\n",
     "generations.txt:1: a generation has five parts: UARCH | PRODUCT | SEGMENT | YEAR | MODE"),
    ("a generation with an unknown mode", "generations.txt", "intel 6 1 * A | B | server | 1995 | intel-two  @book\n",
     "generations.txt:1: unknown mode intel-two"),
    ("a doubled generation", "generations.txt",
     "intel 6 1 * A | B | server | 1995 | intel-one  @book\nintel 6 1 * A | B | server | 1995 | -  @book\n",
     "generations.txt:2: intel 6/1 is already there (line 1)"),
    ("a bad generation", "generations.txt", "intel six\n",
     "generations.txt:1: not a generation: VENDOR FAMILY MODEL[-MODEL] STEPPING|*"
     " UARCH | PRODUCT | SEGMENT | YEAR | MODE  @SOURCE"),
    ("nothing in good data", "needs.txt", "avx2  other  why  @book\n", ""),
]


def refusal(file, text):
    directory = tempfile.mkdtemp()
    try:
        for name, content in FILES.items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as out:
                out.write(content + (text if name == file else ""))
        run = subprocess.run([sys.executable, os.path.join(TOP, "tools/gen.py"), "--data", directory],
                             capture_output=True, text=True, timeout=60, check=False)
        return run.stderr.strip(), run.returncode
    finally:
        shutil.rmtree(directory)


def main():
    print(f"1..{len(ROWS)}")
    failed = 0
    for number, (title, file, text, expected) in enumerate(ROWS, 1):
        message, status = refusal(file, text)
        good = message == expected and status == (1 if expected else 0)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - refuses {title}")
        if not good:
            print(f"# expected {expected}\n# got      {message} (status {status})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
