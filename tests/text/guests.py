#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is predicted of guests, against what booted ones printed: TAP on standard output.

tests/guests has what guests printed of themselves under QEMU's own CPU emulation, with kernels of many series:
CPUID, /proc/cpuinfo and the files below /sys/devices/system/cpu/vulnerabilities.  From CPUID, the kernel's
version and what a file's head says of the guest's environment the other two are predicted.  tests/live/kernels makes such files.

Environment: EVC (the program), EVC_SOURCE (the tree).
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

EVC = os.environ.get("EVC", "build/evc")
SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())


def sections(text):
    """{name: lines} of what a guest printed, and what the head says of it."""
    parts, name = {"head": []}, "head"
    for line in text.splitlines():
        match = re.fullmatch(r"--- (\w+)", line)
        if match:
            name = match[1]
            parts[name] = []
        else:
            parts[name].append(line)
    head = dict(line[2:].split(" ", 1) for line in parts["head"] if line.startswith("# "))
    return head, parts


def told(lines):
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def evc(*argv):
    return subprocess.run((EVC, "cpuinfo") + argv, capture_output=True, text=True, timeout=30, check=False)


def arguments(head, cpuinfo):
    """What the guest's environment adds to its CPUID; the clock is nothing that CPUID tells."""
    clock = next((line.split(":")[1].strip().replace(".", "") for line in cpuinfo if line.startswith("cpu MHz")), "0")
    result = ["--kernel", head["kernel"], "--env", f"tsc-khz={clock}"]
    for setting in head.get("env", "").split():
        result += ["--env", setting]
    return result


def flaws(dump, more, lines):
    """Differences between the predicted files and the real ones, and how many texts were not known."""
    done = evc(dump, "--vulnerabilities", "--json", *more)
    if done.returncode:
        return [done.stderr.strip()], 0
    got = {row["file"]: row for row in json.loads(done.stdout)["vulnerabilities"]}
    real, wrong, unknown = told(lines), [], 0
    for name in sorted(set(real) | set(got)):
        text = got[name]["text"] if name in got else "no file"
        if text is None and got[name]["class"] != "not affected":
            unknown += 1
        elif text != real.get(name, "no file"):
            wrong.append(f"{name}: predicted {text!r}, was {real.get(name, 'no file')!r}")
    return wrong, unknown


def compare(directory, head, parts):
    """(wrong files on flaws, wrong lines of /proc/cpuinfo, how many of both are not known), from what a guest printed."""
    dump, real = os.path.join(directory, "guest.cpuid"), os.path.join(directory, "cpuinfo")
    asked = ["--- cpuid", *parts["cpuid"], "--- msr", *parts.get("msr", ())]
    for file, lines in ((dump, asked), (real, parts["cpuinfo"])):
        with open(file, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
    more = arguments(head, parts["cpuinfo"])
    wrong, unknown = flaws(dump, more, parts["vulnerabilities"])
    # Emulated CPUs that start while others run measure their clock anew, and badly.
    done = evc(dump, "--against", real, "--cpu", "0", *more)
    told_as = [line.strip() for line in done.stdout.splitlines() if re.match(r"  (line|flag|bug) ", line)]
    lines = [line for line in told_as if "predicted unknown" not in line]
    if done.returncode and not told_as:
        lines.append(done.stderr.strip())
    return wrong, lines, unknown + len(told_as) - len(lines)


def more_corpus(number):
    """Guests of the corpus that is not in the tree: what their kernels said of flaws; (tests, failures)."""
    files = sorted(glob.glob(os.path.join(os.environ.get("EVC_MORE_CORPUS", ""), "qemu-guests/*/*.txt")))
    if not files:
        print(f"ok {number + 1} - guests of the larger corpus # SKIP EVC_MORE_CORPUS has none")
        return 1, 0
    wrong, done = [], 0
    for path in files:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
        kernel = {"6.1.0-56": "6.1.192"}.get(os.path.basename(os.path.dirname(path)), os.path.basename(os.path.dirname(path)))
        if "@@VULN" not in text:
            continue
        lines = text[text.index("@@VULN"):].split("@@END")[0].splitlines()
        differ, unknown = flaws(path, ["--kernel", kernel], lines)
        wrong += [f"{os.path.basename(path)}: {line}" for line in differ] + ["not known"] * unknown
        done += 1
    print(f"{'not ok' if wrong else 'ok'} {number + 1} - the kernels of {done} guests of the larger corpus, on flaws")
    for line in wrong:
        print(f"# {line}")
    return 1, bool(wrong)


def main():
    files = sorted(glob.glob(os.path.join(SOURCE, "tests/guests/*.txt")))
    failed = number = 0
    for path in files:
        with open(path, encoding="utf-8") as stream:
            head, parts = sections(stream.read())
        name = os.path.basename(path)[:-4]
        with tempfile.TemporaryDirectory() as directory:
            wrong, lines, unknown = compare(directory, head, parts)
        for what, notes in (("what the kernel says of flaws", wrong), (f"/proc/cpuinfo, {unknown} not known", lines)):
            number += 1
            failed += bool(notes)
            print(f"{'not ok' if notes else 'ok'} {number} - {name}: {what}")
            for line in notes:
                print(f"# {line}")
    tests, bad = more_corpus(number)
    failed += bad
    print(f"1..{number + tests}")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
