#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn data/userland.txt into C tables: gen_userland.py --data DIR --out FILE.

Refuses unknown features and states, bad conditions, doubled names and lines without a source.
"""

import re
import sys

import conditions
import gen

VENDORS = ("intel", "amd", "hygon", "zhaoxin", "other")
NUMBERS = re.compile(r"(family|model)(=|>=|<=)([0-9a-f]+(?:,[0-9a-f]+)*)")


class Tables(conditions.Conditions):
    """All that was read."""

    def __init__(self, directory):
        super().__init__()
        self.sources = gen.read_sources(directory)
        self.list = gen.read_features(directory, self.sources)
        self.features = gen.by_name(self.list)
        self.states, self.uses = {}, {}
        self.hwcaps, self.gcc, self.supports, self.hypervisors, self.versions = [], [], [], [], []

    def feature(self, line, name):
        if name not in self.features:
            line.refuse(f"unknown feature {name}")
        return self.features[name]

    def one(self, line, tokens):
        """A list of numbers is that many terms."""
        match = NUMBERS.fullmatch(tokens[0]) if tokens else None
        if not match or "," not in match[3]:
            return super().one(line, tokens)
        del tokens[0]
        if match[2] != "=":
            line.refuse(f"bad condition: {match[0]}: one number")
        kind, numbers = match[1], match[3].split(",")
        return [(f"{kind.upper()}_EQ", f"0x{number}") for number in numbers] + [("OR", "0")] * (len(numbers) - 1)

    def term(self, line, word):
        if word == "-":
            return "TRUE", "0"
        if word in VENDORS:
            return "VENDOR", f"EVC_USERLAND_{word.upper()}"
        match = NUMBERS.fullmatch(word)
        if match:
            return f"{match[1].upper()}_{ {'=': 'EQ', '>=': 'GE', '<=': 'LE'}[match[2]] }", f"0x{match[3]}"
        return "FEATURE", self.feature(line, word).symbol()


def read_gcc(tables, line, words):
    mask = 0
    for version in words[0].split(","):
        if not version.isdigit():
            line.refuse(f"{version} is not a version of GCC")
        if version not in tables.versions:
            tables.versions.append(version)
        mask |= 1 << tables.versions.index(version)
    tables.gcc.append((words[1], tables.program(line, " ".join(words[2:])), mask))


def read_named(tables, rows, line, words):
    if any(row[0] == words[0] for row in rows):
        line.refuse(f"{words[0]} is already there")
    rows.append((words[0], tables.program(line, " ".join(words[1:])), 0))


def read_state(tables, line, words):
    if words[0] in tables.states:
        line.refuse(f"state {words[0]} is already there")
    tables.states[words[0]] = [tables.feature(line, name) for name in words[1:]]


def read_uses(tables, line, words):
    if words[0] not in tables.states:
        line.refuse(f"unknown state {words[0]}")
    for name in words[1:]:
        if tables.feature(line, name).name in tables.uses:
            line.refuse(f"{name} uses a state already")
        tables.uses[name] = words[0]


def read_hypervisor(tables, line, text):
    match = re.fullmatch(r"hypervisor\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S.*)", text)
    if not match:
        line.refuse("not hypervisor LINUX SYSTEMD LSCPU VIRT-WHAT SIGNATURE")
    kernel, _, since = match[1].partition("@")
    major, _, minor = (since or "0.0").partition(".")
    names = ["NULL" if name == "-" else gen.quote(name.replace("_", " ")) for name in (kernel,) + match.groups()[1:4]]
    # Two signatures end in blanks; twelve characters are what is compared.
    signature = match[5] if len(match[5]) <= 12 else line.refuse(f"{match[5]}: more than twelve characters")
    if match[5] == "bhyve bhyve":
        signature += " "
    tables.hypervisors.append((signature, names, int(major) * 256 + int(minor)))


READERS = {"gcc": (read_gcc, 3), "state": (read_state, 2), "uses": (read_uses, 2),
           "hwcaps": (lambda tables, line, words: read_named(tables, tables.hwcaps, line, words), 2),
           "supports": (lambda tables, line, words: read_named(tables, tables.supports, line, words), 2)}


def read(directory):
    tables = Tables(directory)
    for line in gen.read_lines(directory, "userland.txt"):
        text, mark, source = line.text.rpartition("  @")
        if not mark:
            line.refuse("missing source")
        gen.known_source(line, source, tables.sources)
        kind, *words = text.split()
        if kind == "hypervisor":
            read_hypervisor(tables, line, text.rstrip())
            continue
        if kind not in READERS or len(words) < READERS[kind][1]:
            line.refuse(f"unknown word {kind}, or too few after it")
        READERS[kind][0](tables, line, words)
    return tables


def write_rows(out, name, rows):
    out.write(f"\nconst struct evc_userland_row evc_userland_{name}[] = {{\n")
    out.writelines(f"\t{{ {gen.quote(row)}, {program}, 0x{mask:x} }},\n" for row, program, mask in rows)
    out.write(f"}};\nconst size_t evc_n_userland_{name} = {len(rows)};\n")


def write(out, tables):
    out.write("/* Generated by tools/gen_userland.py from data/userland.txt: do not edit. */\n"
              "#include \"core/userland.h\"\n")
    write_rows(out, "hwcaps", tables.hwcaps)
    write_rows(out, "gcc", tables.gcc)
    write_rows(out, "supports", tables.supports)
    out.write(f"\nconst char *const evc_userland_gcc_versions[] = {{ {', '.join(map(gen.quote, tables.versions))} }};\n")
    out.write("\nconst struct evc_userland_hypervisor evc_userland_hypervisors[] = {\n")
    for signature, (kernel, systemd, lscpu, virt_what), since in tables.hypervisors:
        out.write(f"\t{{ {gen.quote(signature)}, {kernel}, {systemd}, {lscpu}, {virt_what}, {since} }},\n")
    out.write(f"}};\nconst size_t evc_n_userland_hypervisors = {len(tables.hypervisors)};\n")
    names = list(tables.states)
    out.write("\nconst uint8_t evc_userland_uses[EVC_N_FEATURES] = {\n")
    for feature, state in tables.uses.items():
        out.write(f"\t[{tables.features[feature].symbol()}] = {names.index(state) + 1},\n")
    out.write("};\n\nconst struct evc_set evc_userland_states[] = {\n")
    for name in names:
        members = {feature.name for feature in tables.states[name]}
        out.write(f"\t{gen.set_initialiser(tables.list, lambda feature: feature.name in members)},\n")
    out.write("};\n\nconst struct evc_userland_op evc_userland_code[] = {\n")
    out.writelines(f"\t{{ EVC_USERLAND_OP_{op}, {argument} }},\n" for op, argument in tables.code)
    out.write(f"}};\n\n_Static_assert({len(tables.versions)} == EVC_USERLAND_GCCS, \"versions of GCC\");\n"
              f"_Static_assert({len(tables.hwcaps)} <= EVC_USERLAND_HWCAPS, \"directories\");\n"
              f"_Static_assert({len(tables.supports)} <= EVC_USERLAND_SUPPORTS, \"names\");\n"
              f"_Static_assert({len(names)} == EVC_USERLAND_STATES, \"states\");\n")


if __name__ == "__main__":
    sys.exit(gen.generate(__doc__, read, write))
