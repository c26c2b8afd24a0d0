#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn data/*.txt into C tables.

    gen.py --data DIR --out feature-ids.h features.c generations.c
    gen.py --data DIR                  read and judge the data only

Every fact of the project about CPU features has one home, a line of one text file; this program and its
sisters gen_*.py are the only readers of them.  It refuses what contradicts itself, naming both places:
a doubled bit or name, an unknown name, a cycle of needs, a missing source, a need on an "or" bit.
Only Python's standard library is used.
"""

import argparse
import os
import re
import sys

RULES = ("and", "or", "min", "max", "same", "own", "calc")
REGS = ("eax", "ebx", "ecx", "edx")
VENDORS = {"intel": 1, "amd": 2, "zhaoxin": 4, "transmeta": 8, "any": 31}
SPACES = ("qemu", "libvirt", "linux", "vmware", "xen")
MAX_MEANINGS = 4  # features that one foreign name stands for; EVC_MAX_MEANINGS in core/feature.h
NAME = re.compile(r"^[a-z0-9][a-z0-9.-]*$")


class Refusal(Exception):
    """Bad data; the text is file:line: what is wrong, with the other place where there is one."""


class Line:
    """One line of a data file that says something."""

    def __init__(self, file, number, text):
        self.file, self.number, self.text = file, number, text

    def at(self):
        return f"{self.file}:{self.number}"

    def refuse(self, why):
        raise Refusal(f"{self.at()}: {why}")


def read_lines(directory, file):
    """Lines without comments ('#' first, or after two blanks) and without blank ones."""
    result = []
    with open(os.path.join(directory, file), encoding="utf-8") as stream:
        for number, text in enumerate(stream, 1):
            text = re.sub(r"(^|\s\s)#.*", "", text.rstrip("\n")).rstrip()
            if text:
                result.append(Line(file, number, text))
    return result


class Feature:
    def __init__(self, line, place, name, rule, vendors, title, source):
        self.line, self.place, self.name, self.rule = line, place, name, rule
        self.vendors, self.title, self.source = vendors, title, source
        self.slot = -1

    def is_bit(self):
        return self.place.hi == self.place.lo

    def symbol(self):
        return "EVC_F_" + re.sub(r"[.-]", "_", self.name).upper()


class Place:
    """Leaf, subleaves, register and bits; an MSR is register 4 and its index is the leaf."""

    def __init__(self, leaf, first, last, reg, hi, lo):
        self.leaf, self.first, self.last, self.reg, self.hi, self.lo = leaf, first, last, reg, hi, lo

    def key(self):
        return (self.reg == 4, self.leaf, self.first, self.reg, self.lo, self.hi)

    def register(self):
        return f"msr:{self.leaf:x}" if self.reg == 4 else f"{self.leaf:x}.{self.first:x}:{REGS[self.reg]}"

    def text(self, bit=None):
        hi, lo = (self.hi, self.lo) if bit is None else (bit, bit)
        bits = f"[{lo}]" if hi == lo else f"[{hi}:{lo}]"
        return self.register() + bits


def read_sources(directory):
    sources = {}
    for line in read_lines(directory, "sources.txt"):
        key, _, title = line.text.partition(" ")
        if not title.strip():
            line.refuse(f"source {key} has no title")
        if key in sources:
            line.refuse(f"source {key} is already there (line {sources[key][0].number})")
        sources[key] = (line, title.strip())
    return sources


def known_source(line, source, sources):
    """A source is a key of sources.txt, with a place in it after a colon."""
    key = source.split(":")[0]
    if key not in sources:
        line.refuse(f"unknown source {key}: add it to sources.txt")
    return source


HEADING = re.compile(r"^(?:leaf (?P<leaf>[0-9a-f]+)\.(?P<sub>[0-9a-f]+)(?:-(?P<last>[0-9a-f]+))? (?P<reg>e[abcd]x)"
                     r"|msr (?P<msr>[0-9a-f]+) (?P<msrname>\S+))\s+source(?P<source>.*)$")
ROW = re.compile(r"^(?P<hi>\d+)(?::(?P<lo>\d+))?\s+(?P<name>\S+)\s+(?P<rule>\S+)\s+(?P<vendors>\S+)\s+(?P<title>.*?)"
                 r"(?:\s\s+@(?P<source>\S.*))?$")


def heading(line, sources):
    match = HEADING.match(line.text)
    if not match:
        line.refuse("not a heading: leaf LEAF.SUBLEAF REGISTER source KEY, or msr INDEX NAME source KEY")
    source = match["source"].strip()
    if not source:
        line.refuse("missing source")
    known_source(line, source, sources)
    if match["msr"]:
        return (int(match["msr"], 16), 0, 0, 4), source
    first = int(match["sub"], 16)
    last = int(match["last"], 16) if match["last"] else first
    return (int(match["leaf"], 16), first, last, REGS.index(match["reg"])), source


def vendor_mask(line, text):
    mask = 0
    for vendor in text.split(","):
        if vendor not in VENDORS:
            line.refuse(f"unknown vendor {vendor}")
        mask |= VENDORS[vendor]
    return mask


def feature_row(line, where, source, sources):
    match = ROW.match(line.text)
    if not match or not match["title"]:
        line.refuse("not a feature: BIT[:BIT] NAME RULE VENDORS TITLE [  @SOURCE]")
    hi = int(match["hi"])
    lo = int(match["lo"]) if match["lo"] is not None else hi
    width = 64 if where[3] == 4 else 32
    if not lo <= hi < width:
        line.refuse(f"bits {hi}:{lo} are not in a register of {width} bits")
    if not NAME.match(match["name"]):
        line.refuse(f"{match['name']} is not a name: lower case letters, digits, hyphens")
    if match["rule"] not in RULES:
        line.refuse(f"unknown rule {match['rule']}: one of {', '.join(RULES)}")
    if hi == lo and match["rule"] == "same":
        line.refuse("\"same\" is for fields: zero is a value that asks for nothing")
    if hi != lo and match["rule"] in ("and", "or") and where[3] != 4 and hi - lo > 31:
        line.refuse("a field that wide cannot be levelled by and/or")
    if match["source"]:
        source = known_source(line, match["source"], sources)
    return Feature(line, Place(*where, hi, lo), match["name"], match["rule"],
                   vendor_mask(line, match["vendors"]), match["title"], source)


def refuse_doubles(features):
    names, bits = {}, {}
    for feature in features:
        other = names.setdefault(folded(feature.name), feature)
        if other is not feature:
            feature.line.refuse(f"{feature.name} is already {other.place.text()} (line {other.line.number})")
        place = feature.place
        for bit in range(place.lo, place.hi + 1):
            for other in bits.setdefault((place.leaf, place.reg, bit), []):
                apart = other.place.last < place.first or place.last < other.place.first
                if not apart and other.vendors & feature.vendors:
                    feature.line.refuse(f"{place.text(bit)} is already {other.name} (line {other.line.number})")
            bits[(place.leaf, place.reg, bit)].append(feature)


def read_features(directory, sources):
    features, where, source = [], None, None
    for line in read_lines(directory, "features.txt"):
        if line.text[0].isdigit():
            if not where:
                line.refuse("a feature before the first heading")
            features.append(feature_row(line, where, source, sources))
        else:
            where, source = heading(line, sources)
    refuse_doubles(features)
    features.sort(key=lambda f: f.place.key() + (f.vendors,))
    slots = [f for f in features if not f.is_bit() and f.rule not in ("own", "calc")] + \
            [f for f in features if f.is_bit() and f.rule in ("min", "max")]
    for slot, feature in enumerate(slots):
        feature.slot = slot
    return features


def by_name(features):
    return {f.name: f for f in features}


def needing(line, text, features):
    """The features of the left side: names, and registers for what is levelled down in them."""
    table, result = by_name(features), []
    for name in text.split(","):
        if name in table:
            if table[name].rule == "or":
                line.refuse(f"{name} cannot need: it is an \"or\" bit ({table[name].line.at()})")
            result.append(table[name])
            continue
        if ":" not in name:
            line.refuse(f"unknown feature {name}")
        inside = [f for f in features if f.place.register() == name and f.rule in ("and", "min", "same")]
        if not inside:
            line.refuse(f"nothing is levelled in {name}")
        result += inside
    return result


def read_needs(directory, features, sources):
    """feature|register[,...]  needed[,needed...]  why  @source[, source]"""
    table, edges, seen = by_name(features), [], {}
    for line in read_lines(directory, "needs.txt"):
        match = re.match(r"^(\S+)\s+(\S+)\s+(\S.*?)(?:\s\s+@(\S.*))?$", line.text)
        if not match:
            line.refuse("not a need: FEATURE NEEDS WHY  @SOURCE")
        if not match[4]:
            line.refuse("missing source")
        for source in match[4].split(","):
            known_source(line, source.strip(), sources)
        for name in match[2].split(","):
            if name not in table:
                line.refuse(f"unknown feature {name}")
            if table[name].rule == "or":
                line.refuse(f"{match[1]} cannot need {name}: it is an \"or\" bit ({table[name].line.at()})")
        for feature in needing(line, match[1], features):
            for needed in match[2].split(","):
                key = (feature.name, needed)
                if key in seen:
                    line.refuse(f"{feature.name} already needs {needed} (line {seen[key].number})")
                seen[key] = line
                edges.append((feature, table[needed], match[3], match[4], line))
    refuse_cycles(edges)
    return edges


def refuse_cycles(edges):
    """States that only exist together (AMX tile config and data) are written one way; rounds are mistakes."""
    graph, lines = {}, {}
    for feature, needed, _, _, line in edges:
        graph.setdefault(feature.name, []).append(needed.name)
        lines[(feature.name, needed.name)] = line
    state = {}

    def visit(name, path):
        state[name] = 1
        for needed in graph.get(name, ()):
            if state.get(needed) == 1:
                cycle = path[path.index(needed):] + [needed]
                lines[(name, needed)].refuse(
                    f"a cycle: {' needs '.join(cycle)} (also {lines[(cycle[0], cycle[1])].at()})")
            if needed not in state:
                visit(needed, path + [needed])
        state[name] = 2

    for name in list(graph):
        if name not in state:
            visit(name, [name])


def folded(name):
    """Names that differ in case, '-', '_' and '.' only are the same to people (core/feature.c agrees)."""
    return name.lower().replace("_", "-").replace(".", "-")


def read_names(directory, features):
    """space:name  feature  [also]"""
    table, seen, names, printed = by_name(features), {}, [], {}
    for line in read_lines(directory, "names.txt"):
        match = re.match(r"^([a-z]+):(\S+)\s+(\S+)(\s+also)?$", line.text)
        if not match:
            line.refuse("not a name: SPACE:NAME FEATURE [also]")
        space, name, feature, also = match[1], match[2], match[3], bool(match[4])
        if space not in SPACES:
            line.refuse(f"unknown name space {space}: one of {', '.join(SPACES)}")
        if feature not in table:
            line.refuse(f"unknown feature {feature}")
        key = (space, folded(name), feature)
        if key in seen:
            line.refuse(f"{space}:{name} is already {feature} (line {seen[key].number})")
        seen[key] = line
        if not also:
            other = printed.setdefault((space, feature), line)
            if other is not line:
                line.refuse(f"{feature} already has a name in {space} (line {other.number}): mark one \"also\"")
        if sum(k[:2] == key[:2] for k in seen) > MAX_MEANINGS:
            line.refuse(f"{space}:{name} means more than {MAX_MEANINGS} features")
        names.append((name, space, table[feature], also))
    names.sort(key=lambda n: (folded(n[0]), SPACES.index(n[1]), n[2].place.key()))
    return names


def read_costs(directory, features):
    """feature  what losing it costs"""
    table, costs, seen = by_name(features), {}, {}
    for line in read_lines(directory, "costs.txt"):
        name, _, text = line.text.partition(" ")
        if not text.strip():
            line.refuse("not a cost: FEATURE TEXT")
        if name not in table:
            line.refuse(f"unknown feature {name}")
        if name in seen:
            line.refuse(f"{name} already has a cost (line {seen[name].number})")
        seen[name], costs[name] = line, text.strip()
    return costs


def read_removed(directory, features, sources):
    """feature[,feature]  vendor  year  what happened  @source[, source]"""
    table, removed, seen = by_name(features), {}, {}
    for line in read_lines(directory, "removed.txt"):
        match = re.match(r"^(\S+)\s+(\S+)\s+(\d{4})\s+(\S.*?)(?:\s\s+@(\S.*))?$", line.text)
        if not match:
            line.refuse("not a removal: FEATURE VENDOR YEAR TEXT  @SOURCE")
        if not match[5]:
            line.refuse("missing source")
        for source in match[5].split(","):
            known_source(line, source.strip(), sources)
        if match[2] not in VENDORS:
            line.refuse(f"unknown vendor {match[2]}")
        for name in match[1].split(","):
            if name not in table:
                line.refuse(f"unknown feature {name}")
            if name in seen:
                line.refuse(f"{name} is already removed (line {seen[name].number})")
            seen[name] = line
            removed[name] = (VENDORS[match[2]], int(match[3]), match[4], match[5])
    return removed


def read_modes_named(directory):
    """Names of the built-in modes; tools/gen_modes.c reads the rest of modes.txt."""
    return {line.text.split()[1] for line in read_lines(directory, "modes.txt") if line.text.startswith("mode ")}


def read_generations(directory, sources, modes):
    """vendor family model[-model] stepping[-stepping]|*  uarch | product | segment | year | mode  @source"""
    rows, seen = [], {}
    for line in read_lines(directory, "generations.txt"):
        match = re.match(r"^(\S+)\s+([0-9a-f]+)\s+([0-9a-f]+)(?:-([0-9a-f]+))?\s+(?:(\d+)(?:-(\d+))?|\*)\s+(.*?)(?:\s\s+@(\S.*))?$",
                         line.text)
        if not match:
            line.refuse("not a generation: VENDOR FAMILY MODEL[-MODEL] STEPPING|* UARCH | PRODUCT | SEGMENT | YEAR | MODE  @SOURCE")
        if not match[8]:
            line.refuse("missing source")
        known_source(line, match[8].split(",")[0].strip(), sources)
        parts = [part.strip() for part in match[7].split("|")]
        if len(parts) != 5:
            line.refuse("a generation has five parts: UARCH | PRODUCT | SEGMENT | YEAR | MODE")
        family, first = int(match[2], 16), int(match[3], 16)
        last = int(match[4], 16) if match[4] else first
        low = int(match[5]) if match[5] else 0
        high = int(match[6]) if match[6] else (low if match[5] else 15)
        if parts[4] != "-" and parts[4] not in modes:
            line.refuse(f"unknown mode {parts[4]}")
        key = (match[1], family, first, last, low, high)
        if key in seen:
            line.refuse(f"{match[1]} {family:x}/{first:x} is already there (line {seen[key].number})")
        seen[key] = line
        rows.append(key + tuple(parts) + (match[8],))
    # The narrowest row wins, so it comes first.
    rows.sort(key=lambda r: (r[0], r[1], r[3] - r[2], r[5] - r[4], r[2], r[4]))
    return rows


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_ids(out, tables):
    out.write("/* Generated by tools/gen.py from data/features.txt: do not edit. */\n"
              "#ifndef EVC_FEATURE_IDS_H\n#define EVC_FEATURE_IDS_H\n\nenum evc_feature_id {\n")
    for feature in tables.features:
        out.write(f"\t{feature.symbol()},\n")
    slots = sum(f.slot >= 0 for f in tables.features)
    out.write(f"\tEVC_N_FEATURES,\n}};\n\nenum {{ EVC_N_SLOTS = {slots} }};\n\n#endif\n")


def write_feature_table(out, features, sources):
    keys = list(sources)
    registers = ("EVC_EAX", "EVC_EBX", "EVC_ECX", "EVC_EDX", "EVC_MSR")
    out.write("const struct evc_feature evc_features[EVC_N_FEATURES] = {\n")
    for f in features:
        p = f.place
        out.write(f"\t[{f.symbol()}] = {{ .name = {quote(f.name)}, .title = {quote(f.title)},\n"
                  f"\t\t.bit = {{ .leaf = 0x{p.leaf:x}, .subleaf = 0x{p.first:x}, .reg = {registers[p.reg]}, .lo = {p.lo}, .hi = {p.hi} }},\n"
                  f"\t\t.subleaf_last = 0x{p.last:x}, .rule = EVC_RULE_{f.rule.upper()}, .vendors = {f.vendors}, .slot = {f.slot},"
                  f" .source = {keys.index(f.source.split(':')[0])} }},\n")
    out.write("};\n\nconst enum evc_feature_id evc_slots[EVC_N_SLOTS] = {\n")
    for f in sorted((f for f in features if f.slot >= 0), key=lambda f: f.slot):
        out.write(f"\t[{f.slot}] = {f.symbol()},\n")
    out.write("};\n\n")


def write_costs(out, features, costs):
    out.write("const char *const evc_feature_costs[EVC_N_FEATURES] = {\n")
    for f in features:
        if f.name in costs:
            out.write(f"\t[{f.symbol()}] = {quote(costs[f.name])},\n")
    out.write("};\n\n")


def write_removed(out, features, removed):
    out.write("const struct evc_removal evc_removals[EVC_N_FEATURES] = {\n")
    for f in features:
        if f.name in removed:
            vendors, year, what, source = removed[f.name]
            out.write(f"\t[{f.symbol()}] = {{ .vendors = {vendors}, .year = {year}, .what = {quote(what)},"
                      f" .source = {quote(source)} }},\n")
    out.write("};\n\n")


def write_name_order(out, features):
    out.write("const enum evc_feature_id evc_name_order[EVC_N_FEATURES] = {\n")
    for f in sorted(features, key=lambda f: folded(f.name)):
        out.write(f"\t{f.symbol()},\n")
    out.write("};\n\n")


def set_initialiser(features, is_member):
    """C's initialiser of a struct evc_set with those features that is_member says."""
    words = [0] * ((len(features) + 63) // 64)
    for index, feature in enumerate(features):
        if is_member(feature):
            words[index // 64] |= 1 << (index % 64)
    listed = ", ".join(f"UINT64_C(0x{word:016x})" for word in words)
    return f"{{ .word = {{ {listed} }} }}"


def write_rule_sets(out, features):
    out.write("const struct evc_set evc_rule_sets[EVC_N_RULES] = {\n")
    for rule in RULES:
        members = set_initialiser(features, lambda feature, rule=rule: feature.rule == rule)
        out.write(f"\t[EVC_RULE_{rule.upper()}] = {members},\n")
    out.write("};\n\n")


def write_registers(out, features):
    """Where the features of each register begin; then each one's bits, and each vendor's features."""
    rows, last = [], None
    for index, feature in enumerate(features):
        place = feature.place
        if (place.leaf, place.first, place.reg) != last:
            rows.append([place, index, 0])
        rows[-1][2] += 1
        last = (place.leaf, place.first, place.reg)
    write_table(out, "struct evc_register evc_registers[]", "evc_n_registers",
                [f".leaf = 0x{place.leaf:x}, .subleaf = {place.first}, .reg = {place.reg}, .first = {first}, .n = {n}"
                 for place, first, n in rows])
    out.write("const uint64_t evc_feature_masks[EVC_N_FEATURES] = {\n")
    for feature in features:
        out.write(f"\tUINT64_C(0x{(1 << feature.place.hi + 1) - (1 << feature.place.lo):x}),\n")
    out.write("};\n\nconst struct evc_set evc_vendor_sets[EVC_N_VENDORS] = {\n")
    for number in range(VENDORS["any"].bit_length()):
        members = set_initialiser(features, lambda feature, number=number: feature.vendors >> number & 1)
        out.write(f"\t[{number}] = {members},\n")
    out.write("};\n\n")


def write_table(out, declaration, count, rows):
    out.write(f"const {declaration} = {{\n")
    for row in rows:
        out.write(f"\t{{ {row} }},\n")
    out.write(f"}};\n\nconst size_t {count} = {len(rows)};\n\n")


def write_features(out, tables):
    out.write("/* Generated by tools/gen.py from data/: do not edit. */\n#include \"core/set.h\"\n\n")
    write_feature_table(out, tables.features, tables.sources)
    write_name_order(out, tables.features)
    write_costs(out, tables.features, tables.costs)
    write_removed(out, tables.features, tables.removed)
    write_rule_sets(out, tables.features)
    write_registers(out, tables.features)
    write_table(out, "struct evc_need evc_needs[]", "evc_n_needs",
                [f".feature = {a.symbol()}, .needs = {b.symbol()}, .why = {quote(why)}, .source = {quote(source)}"
                 for a, b, why, source, _ in tables.edges])
    write_table(out, "struct evc_foreign_name evc_foreign_names[]", "evc_n_foreign_names",
                [f".space = {quote(space)}, .name = {quote(name)}, .feature = {f.symbol()}, .also = {str(also).lower()}"
                 for name, space, f, also in tables.names])
    order = {feature.name: number for number, feature in enumerate(tables.features)}
    printed = sorted((index for index, name in enumerate(tables.names) if not name[3]),
                     key=lambda index: order[tables.names[index][2].name])
    out.write(f"const uint16_t evc_printed_names[] = {{ {', '.join(map(str, printed))} }};\n\n"
              f"const size_t evc_n_printed_names = {len(printed)};\n\n")
    write_table(out, "struct evc_source evc_sources[]", "evc_n_sources",
                [f".key = {quote(key)}, .title = {quote(title)}" for key, (_, title) in tables.sources.items()])


def write_generations(out, tables):
    out.write("/* Generated by tools/gen.py from data/generations.txt: do not edit. */\n#include \"core/generation.h\"\n\n")
    write_table(out, "struct evc_generation evc_generations[]", "evc_n_generations",
                [f".vendor = {quote(r[0])}, .family = 0x{r[1]:x}, .model_first = 0x{r[2]:x}, .model_last = 0x{r[3]:x},"
                 f" .stepping_first = {r[4]}, .stepping_last = {r[5]}, .uarch = {quote(r[6])}, .product = {quote(r[7])},"
                 f" .segment = {quote(r[8])}, .year = {quote(r[9])}, .mode = {quote(r[10])}, .source = {quote(r[11])}" for r in tables.generations])


def generate(doc, read, *writers):
    """The command of a generator: read(data directory), then each writer(stream, what was read) on its file of --out."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", required=True, help="the directory of the facts")
    parser.add_argument("--out", nargs=len(writers), default=[], metavar="FILE", help="none: judge the facts only")
    args = parser.parse_args()
    try:
        tables = read(args.data)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    for path, write in zip(args.out, writers):
        with open(path, "w", encoding="utf-8") as out:
            write(out, tables)
    return 0


class Tables:
    """All that this program reads."""

    def __init__(self, directory):
        self.sources = read_sources(directory)
        self.features = read_features(directory, self.sources)
        self.edges = read_needs(directory, self.features, self.sources)
        self.names = read_names(directory, self.features)
        self.costs = read_costs(directory, self.features)
        self.removed = read_removed(directory, self.features, self.sources)
        self.generations = read_generations(directory, self.sources, read_modes_named(directory))


if __name__ == "__main__":
    sys.exit(generate(__doc__, Tables, write_ids, write_features, write_generations))
