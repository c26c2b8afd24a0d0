#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What gen_linux.py refuses, with the exact message; that linux-extract's file is read back as what was extracted."""

import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(__file__), "../.."))

BASE = """tree 6.1
title A kernel
flag AVX 4:28 avx
flag AVX2 9:5 avx2
flag OSXSAVE 4:27 -
bug RETBLEED 27 retbleed
word 4 1.0:ecx
word 9 7.0:ebx
scattered AVX2 avx2
needs AVX2 AVX
row affected intel 6 8e ffff RETBLEED
switch bhi 1
"""
FILES = {
    "sources.txt": "book  A manual\n",
    "features.txt": "leaf 7.0 ebx  source book\n5  avx2  and  any  AVX2\n",
    "linux/6.1.txt": BASE,
    "linux/6.2.txt": "tree 6.2\ntitle Another\nbase 6.1\n",
}

# What the row proves, the file, what is added to it, the message; None: it is accepted.
ROWS = [
    ("an unknown word", "linux/6.1.txt", "flags AVX 4:28 avx\n", "linux/6.1.txt:13: unknown word flags"),
    ("a doubled flag", "linux/6.1.txt", "flag AVX 4:29 avx\n", "linux/6.1.txt:13: flag AVX is already there (line 3)"),
    ("two flags at one place", "linux/6.1.txt", "flag FMA 4:28 fma\n",
     "linux/6.1.txt:13: flag FMA is where AVX is (linux/6.1.txt:3)"),
    ("a place that is none", "linux/6.1.txt", "flag FMA 4:32 fma\n",
     "linux/6.1.txt:13: 4:32 is not a place: WORD:BIT, below 23:32"),
    ("a symbol in lower case", "linux/6.1.txt", "flag fma 4:12 fma\n",
     "linux/6.1.txt:13: fma is not a symbol of the kernel's: upper case letters, digits, underscores"),
    ("a name that cannot be printed", "linux/6.1.txt", "flag FMA 4:12 Fma\n",
     "linux/6.1.txt:13: Fma is not a flag as /proc/cpuinfo prints it"),
    ("a line that says too little", "linux/6.1.txt", "bug GDS 30\n",
     "linux/6.1.txt:13: not bug SYMBOL NUMBER NAME|-"),
    ("a register that is none", "linux/6.1.txt", "word 6 80000001:ecx\n",
     "linux/6.1.txt:13: 80000001:ecx is not a register: LEAF.SUBLEAF:REGISTER"),
    ("a scattered bit of no flag", "linux/6.1.txt", "scattered EPB avx2\n",
     "linux/6.1.txt:13: tree 6.1 has no flag EPB"),
    ("a scattered bit of no feature", "linux/6.1.txt", "scattered AVX nosuch\n",
     "linux/6.1.txt:13: unknown feature nosuch"),
    ("a bit that has a name", "linux/6.1.txt", "scattered AVX 7.0:ebx[5]\n",
     "linux/6.1.txt:13: 7.0:ebx[5] is avx2 (features.txt:2): say that"),
    ("a dependency on nothing", "linux/6.1.txt", "needs AVX XSAVE\n",
     "linux/6.1.txt:13: tree 6.1 has no flag XSAVE"),
    ("an unknown vendor", "linux/6.1.txt", "row affected idt 6 8e ffff RETBLEED\n",
     "linux/6.1.txt:13: unknown vendor idt"),
    ("a list that is none", "linux/6.1.txt", "row grey intel 6 8e ffff RETBLEED\n",
     "linux/6.1.txt:13: grey is neither unaffected nor affected"),
    ("a switch that is no number", "linux/6.1.txt", "switch its yes\n", "linux/6.1.txt:13: yes is not a number up to ff"),
    ("a base that is not there", "linux/6.2.txt", "base 5.0\n", "linux/6.2.txt:4: there is no tree 5.0"),
    ("taking away what is not there", "linux/6.2.txt", "-flag FMA\n",
     "linux/6.2.txt:4: -flag FMA: the base has no such line"),
    ("taking away what the same file says", "linux/6.1.txt", "-flag AVX\n",
     "linux/6.1.txt:13: -flag AVX: is in this file (line 3)"),
    ("an unknown source", "linux/6.1.txt", "source rumour\n",
     "linux/6.1.txt:13: unknown source rumour: add it to sources.txt"),
    ("differences against a base", "linux/6.2.txt", "-bug RETBLEED\nflag LAM 12:26 lam\nswitch bhi 2\n", None),
]


def generate(folder):
    out = [os.path.join(folder, name) for name in ("linux-ids.h", "linux.c")]
    done = subprocess.run([sys.executable, os.path.join(TOP, "tools/gen_linux.py"), "--data", folder, "--out", *out],
                          capture_output=True, text=True, check=False)
    text = ""
    if os.path.exists(os.path.join(folder, "linux.c")):
        with open(os.path.join(folder, "linux.c"), encoding="utf-8") as stream:
            text = stream.read()
    return done.returncode, done.stderr.strip(), text


def write(folder, files):
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)


def try_row(file, extra, files=None):
    with tempfile.TemporaryDirectory() as folder:
        files = dict(files or FILES)
        files[file] += extra
        write(folder, files)
        return generate(folder)


# A kernel's source as small as the tool reads it, in the notation since 6.11.
SOURCE = {
    "arch/x86/include/asm/cpufeatures.h":
        '#define X86_FEATURE_AVX\t\t( 4*32+28) /* "avx" Vectors */\n#define X86_FEATURE_AVX2 ( 9*32+ 5) /* "avx2" More */\n'
        '#define X86_FEATURE_OSXSAVE ( 4*32+27) /* On */\n#define X86_BUG_RETBLEED X86_BUG(27) /* "retbleed" Returns */\n',
    "arch/x86/include/asm/cpufeature.h":
        "enum cpuid_leafs\n{\n\tCPUID_1_EDX = 0,\n\tCPUID_8000_0001_EDX,\n\tCPUID_LNX_1,\n\tCPUID_7_1_EAX,\n};\n",
    "arch/x86/kernel/cpu/mkcapflags.sh": '[ ! "$VALUE" ] && continue\n',
    "arch/x86/kernel/cpu/scattered.c": "{ X86_FEATURE_AVX2, CPUID_EBX, 5, 0x00000007, 0 },\n",
    "arch/x86/kernel/cpu/cpuid-deps.c": "{ X86_FEATURE_AVX2, X86_FEATURE_AVX, },\n",
    "arch/x86/include/asm/intel-family.h": "#define INTEL_KABYLAKE_L IFM(6, 0x8E)\n",
    "arch/x86/kernel/cpu/common.c":
        "static const struct x86_cpu_id cpu_vuln_whitelist[] = {\n\tVULNWL_AMD(0x0f, NO_MDS),\n};\n"
        "static const struct x86_cpu_id cpu_vuln_blacklist[] = {\n"
        "\tVULNBL_INTEL_STEPS(INTEL_KABYLAKE_L, 0xb, RETBLEED | GDS),\n};\n",
}
EXTRACTED = ["flag AVX                              4:28 avx", "flag OSXSAVE                          4:27 -",
             "bug RETBLEED                        27 retbleed", "word  3 7.1:eax", "scattered AVX2                    avx2",
             "needs AVX2                    AVX", "row affected   intel     6  8e 0fff RETBLEED,GDS",
             "row unaffected amd       f any ffff NO_MDS"]


def extracts():
    with tempfile.TemporaryDirectory() as folder:
        write(folder, {**SOURCE, **{"data/" + name: text for name, text in FILES.items() if not name.startswith("linux/")}})
        done = subprocess.run([sys.executable, os.path.join(TOP, "tools/linux-extract"), "--name", "9.9", "--title", "Small",
                               "--data", os.path.join(folder, "data"), folder], capture_output=True, text=True, check=False)
        missing = [line for line in EXTRACTED if line not in done.stdout.splitlines()]
        write(folder, {"data/linux/9.9.txt": done.stdout})
        return done.returncode == 0 and not missing and generate(os.path.join(folder, "data"))[0] == 0, done.stderr + str(missing)


def main():
    results = []
    for what, file, extra, message in ROWS:
        status, said, text = try_row(file, extra)
        good = said == message and status == 1 if message else not status and "EVC_LINUX_F_LAM" in text
        results.append((what, good, said))
    circle = dict(FILES, **{"linux/6.1.txt": "tree 6.1\nbase 6.2\n"})
    status, said, _ = try_row("linux/6.2.txt", "", circle)
    results.append(("bases in a circle", said == "linux/6.2.txt:3: the bases go in a circle: 6.1 -> 6.2 -> 6.1", said))
    good, said = extracts()
    results.append(("what a kernel's source says, extracted and read back", good, said))
    print(f"1..{len(results)}")
    for number, (what, good, said) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
        if not good:
            print(f"# said: {said}")
    return 0 if all(good for _, good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
