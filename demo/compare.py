#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare what a guest was promised with what it saw: compare.py PROMISED SEEN.

Both are texts in the form of "cpuid -r".  Prints each register that is not as promised; status 1
if one of them should have been.
"""

import re
import sys

# Registers that follow from QEMU or the guest and not from the mode: leaf, register, bits, why.
MAY_DIFFER = (
    ("1.0", "ecx", 0x08000000, "OSXSAVE: the guest's kernel sets it"),
    ("7.0", "ecx", 0x00000010, "OSPKE: the guest's kernel sets it"),
    ("1.0", "ebx", 0xff000000, "APIC id"),
    ("5.0", "ecx", 0x00000003, "QEMU states MWAIT extensions even where MONITOR is hidden"),
    ("d.0", "ebx", 0xffffffff, "size for what the guest's kernel has switched on"),
    ("d.1", "ebx", 0xffffffff, "QEMU states the compacted size also without XSAVEC"),
    ("80000001.0", "eax", 0xffffffff, "QEMU repeats leaf 1 EAX here, Intel's CPUs have zero"),
)

LINE = re.compile(r"^\s+0x([0-9a-f]{8}) 0x([0-9a-f]+): eax=0x(\w+) ebx=0x(\w+) ecx=0x(\w+) edx=0x(\w+)$")
REGISTERS = ("eax", "ebx", "ecx", "edx")


def leaves(text):
    """{(leaf.subleaf): [eax, ebx, ecx, edx]} of the lines of "cpuid -r"."""
    result = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            key = f"{int(match[1], 16):x}.{int(match[2], 16):x}"
            registers = [int(match[i], 16) for i in range(3, 7)]
            # The first leaf of a range that is not there answers with something else.
            if int(match[1], 16) < 0x20000000 or int(match[1], 16) & 0xff or registers[0] >= int(match[1], 16):
                result[key] = registers
    return result


def differences(want, got, more=()):
    """Lines about registers that disagree and may not, and about those that may and do; more: rows like MAY_DIFFER's."""
    wrong, allowed = [], []
    for key in sorted(set(want) | set(got), key=lambda k: [int(part, 16) for part in k.split(".")]):
        w, g = want.get(key, [0] * 4), got.get(key, [0] * 4)
        for register, a, b in zip(REGISTERS, w, g):
            mask, why = 0, ""
            for leaf, reg, bits, reason in (*MAY_DIFFER, *more):
                if (leaf, reg) == (key, register):
                    mask, why = mask | bits, reason
            if (a ^ b) & ~mask:
                wrong.append(f"{key}:{register} promised {a:08x}, seen {b:08x}")
            elif a != b:
                allowed.append(f"{key}:{register} promised {a:08x}, seen {b:08x}: {why}")
    return wrong, allowed


def main():
    texts = []
    for path in sys.argv[1:3]:
        with open(path, encoding="utf-8") as stream:
            texts.append(leaves(stream.read()))
    wrong, allowed = differences(*texts)
    for line in wrong:
        print(f"  WRONG  {line}")
    for line in allowed:
        print(f"  by itself  {line}")
    print(f"  {len(texts[1])} leaves compared, {len(wrong)} registers wrong")
    return 1 if wrong or len(texts[1]) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
