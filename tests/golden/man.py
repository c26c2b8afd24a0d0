#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of the manual and of README.md: in each ``` block of docs/man/*.scd, and in each indented one of
README.md, a line "$ evc ..." is run in the source tree, and the lines up to the next one are what it must print;
a line "[...]" stands for any lines.  "--update" rewrites the outputs that hold no "[...]".  TAP output."""
import glob
import os
import re
import sys
import textwrap

from golden import TOP, run


def matches(want, got):
    parts = [re.escape(part) for part in re.split(r"\n *\[\.\.\.\]", "\n" + want)]
    return re.fullmatch("(?:\n.*)*".join(parts), "\n" + got) is not None


def examples(text, indent):
    """(start, end, command, wanted) of each example; start and end bound the wanted text."""
    blocks = rf"((?:^{indent}.*\n)+)" if indent else r"(?s:^```\n(.*?)^```$)"
    for block in re.finditer(blocks, text, re.M):
        prompts = list(re.finditer(rf"^{indent}\$ (evc .*)\n", block.group(1), re.M))
        for number, prompt in enumerate(prompts):
            last = prompts[number + 1].start() if number + 1 < len(prompts) else len(block.group(1))
            yield (block.start(1) + prompt.end(), block.start(1) + last, prompt.group(1),
                   block.group(1)[prompt.end():last])


def main():
    number, failed = 0, 0
    for path in sorted(glob.glob(os.path.join(TOP, "docs/man/*.scd"))) + [os.path.join(TOP, "README.md")]:
        indent = " " * 4 if path.endswith(".md") else ""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for start, end, command, want in reversed(list(examples(text, indent))):
            got, status = run(command)
            got = textwrap.indent(got, indent)
            if "--update" in sys.argv and "[...]" not in want:
                text, want = text[:start] + got + text[end:], got
            number += 1
            good = matches(want.rstrip("\n"), got.rstrip("\n")) and status < 2
            print("ok" if good else "not ok", number, "-", os.path.basename(path) + ":", command.replace("#", ""))
            if not good:
                failed += 1
                print(f"# status {status}")
                print("".join(f"# {line}\n" for line in got.splitlines()), end="")
        if "--update" in sys.argv:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    print(f"1..{number}")
    return failed > 0


sys.exit(main())
