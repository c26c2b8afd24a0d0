#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn data/linux-vuln.txt into C tables: gen_vuln.py --data DIR --out FILE.

Conditions become programs of a small stack machine (src/core/linux_vuln.h).  Refuses unknown symbols, kernels,
features and names, bad conditions, lines that cannot be reached and lines without a source.
"""

import re
import sys

import conditions
import gen
import gen_linux

CLASSES = {"Not affected": "NOT_AFFECTED", "Vulnerable": "VULNERABLE", "KVM: Vulnerable": "VULNERABLE",
           "Processor vulnerable": "VULNERABLE", "Mitigation:": "MITIGATION", "KVM: Mitigation:": "MITIGATION",
           "Unknown": "UNKNOWN"}
BARE = {"intel": "INTEL", "amd": "AMD", "off": "OFF", "smt": "SMT", "smt-possible": "SMT_POSSIBLE", "ebpf": "EBPF",
        "kvm": "KVM", "on-kvm": "ON_KVM", "on-tcg": "ON_TCG", "unknown": "UNKNOWN", "-": "TRUE"}


class Tables(conditions.Conditions):
    """All that was read."""

    def __init__(self, directory):
        super().__init__()
        self.sources = gen.read_sources(directory)
        features = gen.read_features(directory, self.sources)
        self.features = gen.by_name(features)
        trees = gen_linux.read_trees(directory, self.sources, self.features)
        self.trees = {tree.name for tree in trees}
        self.flags = {name for tree in trees for name in tree.flags}
        self.bugs = {name for tree in trees for name in tree.bugs}
        self.names, self.lets, self.files = [], {}, []

    def term(self, line, word):
        kind, colon, name = word.partition(":")
        if word in BARE:
            return BARE[word], "0"
        if word in self.lets:
            return "CALL", str(self.lets[word])
        if re.fullmatch(r"family<0x[0-9a-f]+", word):
            return "FAMILY_BELOW", word[7:]
        if kind in ("bug", "has") and name in self.bugs:
            return kind.upper(), f"EVC_LINUX_B_{name}"
        if kind == "since" and re.fullmatch(r"\d+\.\d+", name):
            major, minor = name.split(".")
            return "SINCE", str(int(major) * 256 + int(minor))
        if kind == "tree" and name in self.trees:
            return "TREE", str(self.name(name))
        if kind == "cap" and name in self.features and self.features[name].place.register() == "msr:10a":
            return "CAP", str(self.features[name].place.lo)
        if not colon and word in self.flags:
            return "FLAG", f"EVC_LINUX_F_{word}"
        return line.refuse(f"unknown term {word}")

    def name(self, text):
        if text not in self.names:
            self.names.append(text)
        return self.names.index(text)


class File:
    def __init__(self, line, name, condition, text):
        self.line, self.name, self.condition, self.text = line, name, condition, text
        self.exists, self.commas, self.options, self.parts = None, None, [], [[]]


def row_class(line, text, first):
    """What sort of answer a text is; later parts have none of their own."""
    if not first:
        return "NONE"
    if text.startswith("?"):
        name = text[1:].upper()
        if name not in ("VULNERABLE", "MITIGATION", "UNKNOWN"):
            line.refuse(f"{text}: not ?Vulnerable, ?Mitigation or ?unknown")
        return "UNSURE" if name == "UNKNOWN" else name
    for start, name in CLASSES.items():
        if text.startswith(start):
            return name
    return line.refuse(f"no sort of answer begins with: {text}")


def read_row(tables, file, line):
    condition, arrow, text = line.text.strip().partition(" => ")
    if not arrow:
        line.refuse("not CONDITION => TEXT")
    last = text.startswith("= ")
    text = text[2:] if last else text
    part = file.parts[-1]
    if part and part[-1][0] == "-":
        line.refuse(f"cannot be reached: the line before always holds ({part[-1][1].at()})")
    sort = row_class(line, text, len(file.parts) == 1)
    part.append((condition.strip(), line, tables.program(line, condition), "" if text == "{}" else text, sort, last))


def read_word(tables, line, words):
    """let, file, exists, commas, options, part; False when it is a row."""
    kind = words[0]
    if kind in ("let", "file"):
        text, mark, source = line.text.rpartition("  @")
        if not mark:
            line.refuse("missing source")
        gen.known_source(line, source, tables.sources)
        name, _, condition = text.split(None, 1)[1].partition(" ")
        if kind == "let":
            if name in tables.lets or name in BARE:
                line.refuse(f"{name} is already there")
            tables.lets[name] = tables.program(line, condition)
        else:
            if any(file.name == name for file in tables.files):
                line.refuse(f"file {name} is already there")
            tables.files.append(File(line, name, tables.program(line, condition), condition.strip()))
        return True
    if kind not in ("exists", "commas", "options", "part"):
        return False
    if not tables.files:
        line.refuse(f"{kind} belongs to a file")
    if kind in ("exists", "commas"):
        setattr(tables.files[-1], kind, tables.program(line, line.text.split(None, 1)[1]))
    elif kind == "options":
        tables.files[-1].options += words[1:]
    else:
        tables.files[-1].parts.append([])
    return True


def complete(tables, file):
    """A kernel that has one of the file's bugs has the file."""
    bugs = re.findall(r"bug:(\w+)", file.text)
    if file.exists is None and not bugs:
        file.line.refuse(f"no bug tells which kernels have {file.name}: say exists CONDITION")
    if file.exists is None:
        file.exists = tables.program(file.line, " | ".join(f"has:{bug}" for bug in bugs))
    if file.commas is None:
        file.commas = tables.program(file.line, "!-")


def read(directory):
    tables = Tables(directory)
    for line in gen.read_lines(directory, "linux-vuln.txt"):
        words = line.text.split()
        if read_word(tables, line, words):
            continue
        if not tables.files:
            line.refuse(f"unknown word {words[0]}")
        read_row(tables, tables.files[-1], line)
    for file in tables.files:
        complete(tables, file)
    return tables


def write(out, tables):
    out.write("/* Generated by tools/gen_vuln.py from data/linux-vuln.txt: do not edit. */\n"
              "#include \"core/linux_vuln.h\"\n")
    rows, parts, files, options = [], [], [], []
    for file in tables.files:
        first_part, first_option = len(parts), len(options)
        for part in file.parts:
            parts.append(f"{len(rows)}, {len(part)}")
            rows += [f"{program}, EVC_LINUX_VULN_{sort}, {str(last).lower()}, {gen.quote(text)}, {gen.quote(condition)}"
                     for condition, _, program, text, sort, last in part]
        options += [gen.quote(option) for option in file.options]
        files.append(f"{gen.quote(file.name)}, {file.exists}, {file.condition}, {file.commas}, {first_part}, {len(file.parts)}, "
                     f"{first_option}, {len(file.options)}")
    for name, kind, lines in (("rows", "row", rows), ("parts", "part", parts), ("files", "file", files)):
        out.write(f"\nconst struct evc_linux_vuln_{kind} evc_linux_vuln_{name}[] = {{\n")
        out.writelines(f"\t{{ {line} }},\n" for line in lines)
        out.write("};\n")
    out.write(f"const size_t evc_n_linux_vuln_files = {len(files)};\n")
    for name, lines in (("options", options), ("names", [gen.quote(name) for name in tables.names])):
        out.write(f"\nconst char *const evc_linux_vuln_{name}[] = {{\n\t{', '.join(lines + ['NULL'])}\n}};\n")
    out.write("\nconst struct evc_linux_vuln_op evc_linux_vuln_code[] = {\n")
    out.writelines(f"\t{{ EVC_LINUX_OP_{op}, {argument} }},\n" for op, argument in tables.code)
    out.write(f"}};\n\n_Static_assert({len(files)} <= EVC_LINUX_MAX_VULNS, \"files\");\n")


if __name__ == "__main__":
    sys.exit(gen.generate(__doc__, read, write))
