#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What gen_builds.py refuses, with the exact message."""

import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(__file__), "../.."))

GOOD = "option pages X86_PAGES no yes\nbuild kconfig 4.15 no @book\nbuild suse 5.3 yes @book\n"

# What the row proves, what is added to the table, the message; None: it is accepted.
ROWS = [
    ("a table in its form", "", None),
    ("a later row of the same distribution", "build suse 6.4 no @book\n", None),
    ("a row without a source", "build suse 6.4 no\n", "linux-builds.txt:4: not build DISTRIBUTION SINCE pages @SOURCE"),
    ("an unknown source", "build suse 6.4 no @wiki\n", "linux-builds.txt:4: unknown source wiki: add it to sources.txt"),
    ("a value that the option has not", "build suse 6.4 auto @book\n", "linux-builds.txt:4: pages is not auto: no, yes"),
    ("too few values", "build suse 6.4 @book\n", "linux-builds.txt:4: not build DISTRIBUTION SINCE pages @SOURCE"),
    ("rows out of order", "build suse 5.2 no @book\n", "linux-builds.txt:4: rows of suse go from old to new"),
    ("no version", "build suse new no @book\n", "linux-builds.txt:4: a distribution is a small word, a version MAJOR.MINOR"),
    ("a doubled option", "option pages X86_PAGES no yes\n", "linux-builds.txt:4: option pages is already there"),
    ("a value that nobody knows", "option more X86_MORE no maybe\n",
     "linux-builds.txt:4: unknown value maybe: no, yes, off, on, auto"),
    ("an option without a choice", "option more X86_MORE\n", "linux-builds.txt:4: not option NAME SYMBOL VALUE VALUE…"),
    ("an unknown word", "flavour cloud\n", "linux-builds.txt:4: unknown word flavour"),
]


def run(table):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("sources.txt", "book  A manual\n"), ("linux-builds.txt", table)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                out.write(text)
        done = subprocess.run([sys.executable, os.path.join(TOP, "tools/gen_builds.py"), "--data", folder], capture_output=True,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stderr.strip()


def main():
    rows = [(name, GOOD + more, want) for name, more, want in ROWS]
    rows.append(("a table that does not begin with what nobody chose", GOOD.replace("kconfig", "arch"),
                 "linux-builds.txt: the first build is kconfig, for kernels of which nothing is known"))
    print(f"1..{len(rows)}")
    failed = 0
    for number, (name, table, want) in enumerate(rows, 1):
        status, said = run(table)
        good = (status, said) == ((1, want) if want else (0, ""))
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
        if not good:
            print(f"# {status}: {said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
