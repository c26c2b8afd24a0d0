#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn data/linux-builds.txt into C: gen_builds.py --data DIR --out DIR writes linux-builds.h and linux-builds.c.

Refuses unknown options, values and sources, a distribution's rows out of order, and a table without kconfig's.
"""

import re
import sys

import gen

NAME = re.compile(r"^[a-z0-9][a-z0-9-]*$")
VERSION = re.compile(r"^(\d+)\.(\d+)$")
VALUES = ("no", "yes", "off", "on", "auto")
DEFAULTS = "kconfig"


class Table:
    """Options with their symbols and values, and builds in the file's order."""

    def __init__(self):
        self.options, self.builds = {}, []


def read_option(table, line, words):
    if len(words) < 3 or not NAME.match(words[0]):
        line.refuse("not option NAME SYMBOL VALUE VALUE…")
    if words[0] in table.options:
        line.refuse(f"option {words[0]} is already there")
    for value in words[2:]:
        if value not in VALUES:
            line.refuse(f"unknown value {value}: {', '.join(VALUES)}")
    table.options[words[0]] = (words[1], words[2:])


def read_build(table, line, words, sources):
    places = [word[1:] for word in words if word[0] == "@"]
    words = [word for word in words if word[0] != "@"]
    if len(words) != 2 + len(table.options) or not places:
        line.refuse(f"not build DISTRIBUTION SINCE {' '.join(table.options)} @SOURCE")
    for place in places:
        gen.known_source(line, place, sources)
    match = VERSION.match(words[1])
    if not NAME.match(words[0]) or not match:
        line.refuse("a distribution is a small word, a version MAJOR.MINOR")
    for value, (option, (_, values)) in zip(words[2:], table.options.items()):
        if value not in values:
            line.refuse(f"{option} is not {value}: {', '.join(values)}")
    version = int(match[1]) * 256 + int(match[2])
    if any(name == words[0] and since >= version for name, since, _ in table.builds):
        line.refuse(f"rows of {words[0]} go from old to new")
    table.builds.append((words[0], version, words[2:]))


def read(directory):
    table, sources = Table(), gen.read_sources(directory)
    for line in gen.read_lines(directory, "linux-builds.txt"):
        kind, *words = line.text.split()
        if kind == "option":
            read_option(table, line, words)
        elif kind == "build":
            read_build(table, line, words, sources)
        else:
            line.refuse(f"unknown word {kind}")
    if not table.builds or table.builds[0][0] != DEFAULTS:
        raise gen.Refusal(f"linux-builds.txt: the first build is {DEFAULTS}, for kernels of which nothing is known")
    return table


def constant(prefix, name):
    return f"EVC_LINUX_{prefix}_{name.upper().replace('-', '_')}"


def write_header(stream, table):
    out = ["/* Generated from data/linux-builds.txt by tools/gen_builds.py. */", "#ifndef EVC_LINUX_BUILDS_H",
           "#define EVC_LINUX_BUILDS_H\n", "enum evc_linux_config {"]
    out += [f"\t{constant('CONFIG', name)}," for name in table.options] + ["\tEVC_LINUX_N_CONFIGS,", "};\n"]
    out += ["enum evc_linux_config_value {"]
    out += [f"\t{constant('IS', value)}," for value in VALUES] + ["\tEVC_LINUX_N_CONFIG_VALUES,", "};\n", "#endif"]
    stream.write("\n".join(out) + "\n")


def write_source(stream, table):
    out = ["/* Generated from data/linux-builds.txt by tools/gen_builds.py. */", '#include "core/linux.h"\n',
           "const struct evc_linux_option_names evc_linux_configs[EVC_LINUX_N_CONFIGS] = {"]
    for name, (symbol, values) in table.options.items():
        mask = " | ".join(f"UINT32_C(1) << {constant('IS', value)}" for value in values)
        out.append(f'\t{{ .name = "{name}", .symbol = "{symbol}", .values = {mask}, .said = "{", ".join(values)}" }},')
    out += ["};", f'const char evc_linux_config_names[] = "{" ".join(table.options)}";\n',
            "const char *const evc_linux_config_asks[EVC_LINUX_N_CONFIGS][EVC_LINUX_N_CONFIG_VALUES] = {"]
    for name, (_, values) in table.options.items():
        asks = ", ".join(f'[{constant("IS", value)}] = "config.{name}={value}"' for value in values)
        out.append(f"\t[{constant('CONFIG', name)}] = {{ {asks} }},")
    out += ["};\n", "const char *const evc_linux_config_values[EVC_LINUX_N_CONFIG_VALUES] = {"]
    out += [f'\t"{value}",' for value in VALUES] + ["};\n", "const struct evc_linux_build evc_linux_builds[] = {"]
    for name, since, values in table.builds:
        out.append(f'\t{{ .distribution = "{name}", .since = {since:#x}, .values = '
                   f"{{ {', '.join(constant('IS', value) for value in values)} }} }},")
    out += ["};", f"const size_t evc_n_linux_builds = {len(table.builds)};"]
    stream.write("\n".join(out) + "\n")


if __name__ == "__main__":
    sys.exit(gen.generate(__doc__, read, write_header, write_source))
