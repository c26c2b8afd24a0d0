#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn data/linux/*.txt into C tables: gen_linux.py --data DIR --out DIR writes linux-ids.h and linux.c.

A file is one kernel tree: its flags and bugs by place, where they are read from, and the lists of affected
models; as differences against another tree where it has a base.  Refuses doubled places, unknown
symbols and sources, rows that say nothing and bases in a circle.
"""

import os
import re
import sys

import gen

WORDS = 23
VENDORS = ("intel", "amd", "hygon", "centaur", "zhaoxin", "transmeta", "nsc", "vortex", "any")
SYMBOL = re.compile(r"^[0-9A-Z_]+$")
PLACE = re.compile(r"^(\d+):(\d+)$")
BIT = re.compile(r"^([0-9a-f]+)\.([0-9a-f]+):(e[abcd]x)\[(\d+)\]$")
VERSION = re.compile(r"^(\d+)\.(\d+)(?:\.(\d+))?")
SHOWN = re.compile(r"^[0-9a-z_]+$")


class Tree:
    """One kernel.  Each dictionary maps what makes a line unique to what it says and the line."""

    def __init__(self, name):
        self.name, self.title, self.base, self.line = name, "", None, None
        self.headers_only = False
        self.flags, self.bugs, self.vmx, self.words = {}, {}, {}, {}
        self.scattered, self.needs, self.rows, self.microcodes, self.switches = {}, {}, {}, {}, {}

    def parts(self):
        return (("flag", self.flags), ("bug", self.bugs), ("vmx", self.vmx), ("word", self.words),
                ("scattered", self.scattered), ("needs", self.needs), ("row", self.rows),
                ("microcode", self.microcodes), ("switch", self.switches))

    def age(self):
        """Version, then Ubuntu's build."""
        build = re.search(r"-(\d+)", self.name)
        return self.version() + (int(build[1]) if build else 0, self.name)

    def version(self):
        match = VERSION.match(self.name)
        return tuple(int(part or 0) for part in match.groups())


def want(line, words, count, form):
    if len(words) != count:
        line.refuse(f"not {form}")
    return words


def symbol(line, text):
    if not SYMBOL.match(text):
        line.refuse(f"{text} is not a symbol of the kernel's: upper case letters, digits, underscores")
    return text


def shown(line, text):
    """What is printed; - for a flag that never is."""
    if text != "-" and not SHOWN.match(text):
        line.refuse(f"{text} is not a flag as /proc/cpuinfo prints it")
    return "" if text == "-" else text


def place(line, text, words=WORDS):
    match = PLACE.match(text)
    if not match or int(match[1]) >= words or int(match[2]) > 31:
        line.refuse(f"{text} is not a place: WORD:BIT, below {words}:32")
    return int(match[1]), int(match[2])


def number(line, text, most, base=16):
    try:
        value = int(text, base)
    except ValueError:
        value = -1
    if not 0 <= value <= most:
        line.refuse(f"{text} is not a number up to {most:x}")
    return value


def read_flag(line, words):
    want(line, words, 3, "flag SYMBOL WORD:BIT NAME|-")
    return symbol(line, words[0]), (place(line, words[1]), shown(line, words[2]))


def read_bug(line, words):
    want(line, words, 3, "bug SYMBOL NUMBER NAME|-")
    return symbol(line, words[0]), (number(line, words[1], 63, 10), shown(line, words[2]))


def read_vmx(line, words):
    want(line, words, 3, "vmx SYMBOL WORD:BIT NAME|-")
    return symbol(line, words[0]), (place(line, words[1], 5), shown(line, words[2]))


def read_word(line, words):
    want(line, words, 2, "word NUMBER LEAF.SUBLEAF:REGISTER")
    match = re.match(r"^([0-9a-f]+)\.([0-9a-f]+):(e[abcd]x)$", words[1])
    if not match:
        line.refuse(f"{words[1]} is not a register: LEAF.SUBLEAF:REGISTER")
    return number(line, words[0], WORDS - 1, 10), (int(match[1], 16), int(match[2], 16), gen.REGS.index(match[3]))


def read_scattered(line, words):
    want(line, words, 2, "scattered SYMBOL FEATURE or scattered SYMBOL LEAF.SUBLEAF:REGISTER[BIT]")
    return (symbol(line, words[0]), words[1]), ()


def read_needs(line, words):
    want(line, words, 2, "needs SYMBOL SYMBOL")
    return (symbol(line, words[0]), symbol(line, words[1])), ()


def read_row(line, words):
    """row unaffected|affected VENDOR FAMILY|any MODEL|any STEPPINGS WORD[,WORD]"""
    want(line, words, 6, "row unaffected|affected VENDOR FAMILY|any MODEL|any STEPPINGS WORDS")
    if words[0] not in ("unaffected", "affected"):
        line.refuse(f"{words[0]} is neither unaffected nor affected")
    if words[1] not in VENDORS:
        line.refuse(f"unknown vendor {words[1]}")
    family = 0 if words[2] == "any" else number(line, words[2], 255)
    model = -1 if words[3] == "any" else number(line, words[3], 255)
    return (words[0], words[1], family, model, number(line, words[4], 0xffff)), \
        tuple(symbol(line, word) for word in words[5].split(","))


def read_microcode(line, words):
    want(line, words, 3, "microcode SIGNATURE PLATFORMS REVISION")
    return (number(line, words[0], 0xffffffff), number(line, words[1], 0xffffffff)), \
        number(line, words[2], 0xffffffff)


def read_switch(line, words):
    want(line, words, 2, "switch NAME NUMBER")
    if not re.match(r"^[a-z][a-z0-9-]*$", words[0]):
        line.refuse(f"{words[0]} is not a name: lower case letters, digits, hyphens")
    return words[0], number(line, words[1], 255, 10)


READERS = {"flag": read_flag, "bug": read_bug, "vmx": read_vmx, "word": read_word, "scattered": read_scattered,
           "needs": read_needs, "row": read_row, "microcode": read_microcode, "switch": read_switch}
# What a line takes away is named by its first words.
KEY_WORDS = {"flag": 1, "bug": 1, "vmx": 1, "word": 1, "scattered": 2, "needs": 2, "row": 5, "microcode": 2,
             "switch": 1}


def take_away(line, tree, kind, words):
    filler = {"flag": ["0:0", "-"], "bug": ["0", "-"], "vmx": ["0:0", "-"], "word": ["0.0:eax"], "scattered": [],
              "needs": [], "row": ["X"], "microcode": ["0"], "switch": ["0"]}[kind]
    key, _ = READERS[kind](line, words[:KEY_WORDS[kind]] + filler)
    if len(words) > KEY_WORDS[kind]:
        line.refuse(f"-{kind} takes no more words than name the line")
    part = dict(tree.parts())[kind]
    if key not in part:
        line.refuse(f"-{kind} {' '.join(words)}: the base has no such line")
    if part[key][1].file == line.file:
        line.refuse(f"-{kind} {' '.join(words)}: is in this file (line {part[key][1].number})")
    del part[key]


def read_head(line, tree, kind, words, sources):
    if kind == "title":
        tree.title = " ".join(words)
    elif kind == "source":
        for word in words:
            gen.known_source(line, word, sources)
    elif kind == "names":
        if words != ["only"]:
            line.refuse("not names only")
        tree.headers_only = True
    else:
        return False
    return True


def read_tree(directory, name, sources, trees, open_names=()):
    """The tree of a file, complete; trees holds those that were read."""
    if name in trees:
        return trees[name]
    tree, file = Tree(name), os.path.join("linux", name + ".txt")
    for line in gen.read_lines(directory, file):
        kind, *words = line.text.split()
        if not tree.line and kind != "tree":
            line.refuse("the first line is tree NAME")
        if kind == "tree":
            if words != [name] or not VERSION.match(name):
                line.refuse("tree names the file, which begins with a version")
            tree.line = line
        elif kind == "base":
            want(line, words, 1, "base TREE")
            if words[0] in open_names + (name,):
                line.refuse(f"the bases go in a circle: {' -> '.join(open_names + (name, words[0]))}")
            if not os.path.exists(os.path.join(directory, "linux", words[0] + ".txt")):
                line.refuse(f"there is no tree {words[0]}")
            if any(part for _, part in tree.parts()):
                line.refuse("base comes before what differs from it")
            base = read_tree(directory, words[0], sources, trees, open_names + (name,))
            tree.base = base
            for (_, mine), (_, its) in zip(tree.parts(), base.parts()):
                mine.update(its)
        elif read_head(line, tree, kind, words, sources):
            pass
        elif kind[0] == "-" and kind[1:] in READERS:
            take_away(line, tree, kind[1:], words)
        elif kind in READERS:
            key, value = READERS[kind](line, words)
            part = dict(tree.parts())[kind]
            if key in part and part[key][1].file == line.file:
                line.refuse(f"{kind} {words[0]} is already there (line {part[key][1].number})")
            part[key] = (value, line)
        else:
            line.refuse(f"unknown word {kind}")
    if not tree.line:
        raise gen.Refusal(f"{file}:1: the first line is tree NAME")
    trees[name] = tree
    return tree


def refuse_bad(tree, features):
    """What no line shows alone."""
    for kind, part in (("flag", tree.flags), ("bug", tree.bugs), ("vmx", tree.vmx)):
        seen = {}
        for name, ((where, _), line) in part.items():
            if where in seen:
                line.refuse(f"{kind} {name} is where {seen[where][0]} is ({seen[where][1].at()})")
            seen[where] = (name, line)
    for (name, where), (_, line) in tree.scattered.items():
        if name not in tree.flags:
            line.refuse(f"tree {tree.name} has no flag {name}")
        scattered_bit(line, where, features)
    for (flag, needs), (_, line) in tree.needs.items():
        for name in (flag, needs):
            if name not in tree.flags:
                line.refuse(f"tree {tree.name} has no flag {name}")


def scattered_bit(line, where, features):
    """Leaf, subleaf, register, bit: of a feature of ours, or written out where there is none."""
    match = BIT.match(where)
    if match:
        bit = (int(match[1], 16), int(match[2], 16), gen.REGS.index(match[3]), int(match[4]))
        for feature in features.values():
            if feature.is_bit() and (feature.place.leaf, feature.place.first, feature.place.reg, feature.place.lo) == bit:
                line.refuse(f"{where} is {feature.name} (features.txt:{feature.line.number}): say that")
        return bit
    if where not in features or not features[where].is_bit():
        line.refuse(f"unknown feature {where}")
    place_ = features[where].place
    return place_.leaf, place_.first, place_.reg, place_.lo


def read_trees(directory, sources, features):
    names = sorted(file[:-4] for file in os.listdir(os.path.join(directory, "linux")) if file.endswith(".txt"))
    trees = {}
    for name in names:
        read_tree(directory, name, sources, trees)
    for tree in trees.values():
        refuse_bad(tree, features)
    return sorted(trees.values(), key=Tree.age)


def row_order(row):
    """The kernel's own order, in which the first row that matches counts: narrow before wide."""
    (_, vendor, family, model, steppings), _ = row
    return (vendor == "any", family == 0, model < 0, VENDORS.index(vendor), family, model,
            bin(steppings).count("1"), steppings)


class Ids:
    """The enums: every symbol that any tree has."""

    def __init__(self, trees):
        self.flags = self.union(trees, "flags")
        self.bugs = self.union(trees, "bugs")
        self.vmx = self.union(trees, "vmx")
        lists = {word for tree in trees for value, _ in tree.rows.values() for word in value}
        self.lists = sorted(lists)
        self.switches = sorted({name for tree in trees for name in tree.switches})

    @staticmethod
    def union(trees, part):
        """In the order of the newest tree, then what only older ones have."""
        seen = {}
        for tree in reversed(trees):
            for name, ((where, _), _) in sorted(getattr(tree, part).items(), key=lambda item: item[1][0][0]):
                seen.setdefault(name, where)
        return sorted(seen, key=lambda name: (seen[name], name))


def enum_name(prefix, name):
    return f"EVC_LINUX_{prefix}_{name.upper().replace('-', '_')}"


def write_enum(out, kind, prefix, names, count):
    out.append(f"enum evc_linux_{kind} {{")
    out.extend(f"\t{enum_name(prefix, name)}," for name in names)
    out.append(f"\t{count},\n}};\n")


def ids_header(ids):
    out = ["/* Generated from data/linux by tools/gen_linux.py. */", "#ifndef EVC_LINUX_IDS_H", "#define EVC_LINUX_IDS_H\n"]
    write_enum(out, "flag", "F", ids.flags, "EVC_LINUX_N_FLAGS")
    write_enum(out, "bug", "B", ids.bugs, "EVC_LINUX_N_BUGS")
    write_enum(out, "vmx", "V", ids.vmx, "EVC_LINUX_N_VMX")
    write_enum(out, "list", "L", ids.lists, "EVC_LINUX_N_LISTS")
    write_enum(out, "switch", "S", ids.switches, "EVC_LINUX_N_SWITCHES")
    write_enum(out, "vendor", "VENDOR", VENDORS, "EVC_LINUX_N_VENDORS")
    out.append("#endif")
    return "\n".join(out) + "\n"


class Source:
    """linux.c; arrays that are equal are written once."""

    def __init__(self, ids, features):
        self.ids, self.features, self.out, self.arrays = ids, features, [], {}

    def array(self, kind, rows):
        if not rows:
            return "NULL"
        text = "".join(f"\t{row},\n" for row in rows)
        if (kind, text) not in self.arrays:
            name = f"array{len(self.arrays)}"
            self.arrays[kind, text] = name
            self.out.append(f"static const {kind} {name}[] = {{\n{text}}};\n")
        return self.arrays[kind, text]

    def bit(self, bit):
        leaf, sub, reg, low = bit
        return f"{{ .leaf = {leaf:#x}, .subleaf = {sub:#x}, .reg = {reg}, .lo = {low}, .hi = {low} }}"

    def names(self, part, prefix, flat):
        rows = sorted((flat(where), enum_name(prefix, name), text)
                      for name, ((where, text), _) in part.items() if text)
        return len(rows), self.array("struct evc_linux_name",
                                     [f'{{ .place = {at}, .symbol = {enum}, .name = "{text}" }}' for at, enum, text in rows])

    def rows(self, tree, which):
        rows = sorted((row for row in tree.rows.items() if row[0][0] == which),
                      key=lambda row: row_order((row[0], row[1][0])))
        return len(rows), self.array("struct evc_linux_row", [self.row(key, value) for key, (value, _) in rows])

    def row(self, key, says):
        _, vendor, family, model, steppings = key
        mask = " | ".join(f"UINT32_C(1) << {enum_name('L', word)}" for word in says)
        return f"{{ .vendor = {enum_name('VENDOR', vendor)}, .family = {family:#x}, .model = {model}, " \
               f".steppings = {steppings:#x}, .says = {mask} }}"

    def tree(self, tree):
        wide = {name: where[0] * 32 + where[1] for name, ((where, _), _) in tree.flags.items()}
        places = self.array("uint16_t", [wide.get(name, "EVC_LINUX_NOWHERE") for name in self.ids.flags])
        numbers = self.array("uint8_t", [tree.bugs[name][0][0] if name in tree.bugs else 0xff for name in self.ids.bugs])
        n_flags, flags = self.names(tree.flags, "F", lambda where: where[0] * 32 + where[1])
        n_bugs, bugs = self.names(tree.bugs, "B", lambda where: where)
        n_vmx, vmx = self.names(tree.vmx, "V", lambda where: where[0] * 32 + where[1])
        words = [f"{{ .word = {word}, .from = {{ .leaf = {leaf:#x}, .subleaf = {sub:#x}, .reg = {reg}, .hi = 31 }} }}"
                 for word, ((leaf, sub, reg), _) in sorted(tree.words.items())]
        scattered = sorted((scattered_bit(line, where, self.features), name)
                           for (name, where), (_, line) in tree.scattered.items())
        scattered = [f"{{ .symbol = {enum_name('F', name)}, .bit = {self.bit(bit)} }}" for bit, name in scattered]
        needs = [f"{{ .flag = {enum_name('F', flag)}, .needs = {enum_name('F', needs)} }}"
                 for flag, needs in sorted(tree.needs, key=lambda pair: (wide[pair[1]], wide[pair[0]]))]
        n_not, unaffected = self.rows(tree, "unaffected")
        n_hit, affected = self.rows(tree, "affected")
        codes = [f"{{ .signature = {signature:#x}, .platforms = {platforms:#x}, .revision = {revision:#x} }}"
                 for (signature, platforms), (revision, _) in sorted(tree.microcodes.items())]
        switches = ", ".join(str(tree.switches[name][0]) if name in tree.switches else "0" for name in self.ids.switches)
        major, minor, patch = tree.version()
        return f"""\t{{ .name = "{tree.name}", .title = "{tree.title}", .distribution = "{tree.title.split()[0].lower()}", .version = {major * 256 + minor}, .patch = {patch},
\t  .headers_only = {str(tree.headers_only).lower()}, .places = {places}, .bug_numbers = {numbers},
\t  .flags = {flags}, .n_flags = {n_flags}, .bugs = {bugs}, .n_bugs = {n_bugs}, .vmx = {vmx}, .n_vmx = {n_vmx},
\t  .words = {self.array("struct evc_linux_word", words)}, .n_words = {len(words)},
\t  .scattered = {self.array("struct evc_linux_scattered", scattered)}, .n_scattered = {len(scattered)},
\t  .dependencies = {self.array("struct evc_linux_dependency", needs)}, .n_dependencies = {len(needs)},
\t  .unaffected = {unaffected}, .n_unaffected = {n_not}, .affected = {affected}, .n_affected = {n_hit},
\t  .microcodes = {self.array("struct evc_linux_microcode", codes)}, .n_microcodes = {len(codes)},
\t  .switches = {{ {switches} }} }},
"""

    def feature_of(self, trees, name):
        """The feature whose bit a flag is, by the newest tree that has the flag."""
        for tree in reversed(trees):
            if name not in tree.flags:
                continue
            (word, bit), _ = tree.flags[name][0]
            bits = [scattered_bit(line, where, self.features)
                    for (flag, where), (_, line) in tree.scattered.items() if flag == name]
            if word in tree.words:
                bits.append(tree.words[word][0] + (bit,))
            for feature in self.features.values():
                if feature.is_bit() and (feature.place.leaf, feature.place.first, feature.place.reg, feature.place.lo) in bits:
                    return feature.symbol()
            return "EVC_N_FEATURES"
        return "EVC_N_FEATURES"

    def text(self, trees):
        texts = "".join(self.tree(tree) for tree in trees)
        head = "/* Generated from data/linux by tools/gen_linux.py. */\n#include \"core/linux.h\"\n\n"
        tail = f"const struct evc_linux_tree evc_linux_trees[] = {{\n{texts}}};\n" \
               f"const size_t evc_n_linux_trees = {len(trees)};\n\n"
        for kind, names, count in (("flag", self.ids.flags, "EVC_LINUX_N_FLAGS"), ("bug", self.ids.bugs, "EVC_LINUX_N_BUGS"),
                                   ("vmx", self.ids.vmx, "EVC_LINUX_N_VMX"), ("list", self.ids.lists, "EVC_LINUX_N_LISTS"),
                                   ("switch", self.ids.switches, "EVC_LINUX_N_SWITCHES")):
            tail += f"const char *const evc_linux_{kind}_symbols[{count}] = {{\n" + \
                    "".join(f'\t"{name}",\n' for name in names) + "};\n\n"
        tail += "const uint16_t evc_linux_flag_features[EVC_LINUX_N_FLAGS] = {\n" + \
                "".join(f"\t{self.feature_of(trees, name)},\n" for name in self.ids.flags) + "};\n"
        return head + "\n".join(self.out) + "\n" + tail


class Tables:
    """All that this program reads, and the numbers it gives to what the trees name."""

    def __init__(self, directory):
        sources = gen.read_sources(directory)
        self.features = gen.by_name(gen.read_features(directory, sources))
        self.trees = read_trees(directory, sources, self.features)
        self.ids = Ids(self.trees)


if __name__ == "__main__":
    sys.exit(gen.generate(__doc__, Tables, lambda out, tables: out.write(ids_header(tables.ids)),
                          lambda out, tables: out.write(Source(tables.ids, tables.features).text(tables.trees))))
