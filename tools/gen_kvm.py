#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn data/kvm.txt and data/kvm-linux.txt into C tables: gen_kvm.py --data DIR --out FILE.

Conditions become programs of a small stack machine (src/core/kvm_rules.h).  Refuses unknown features,
trees, options and flags, bad conditions, doubled rules and lines without a source.
"""

import re
import sys

import gen

HOW = ("pass", "raw", "always", "synth", "intel", "amd", "vmx", "clear", "never")
TOKEN = re.compile(r"\s*(?:(?P<word>(?:raw|control|kvm|linux|bug|option):[a-z0-9.-]+|intel|amd|zhaoxin|unknown)"
                   r"|(?P<sort>family|model|stepping|microcode)\s*(?:(?P<sign>==|!=|>=|<=|>|<)\s*(?P<number>0x[0-9a-f]+|\d+)"
                   r"|in\s*\{(?P<list>[^}]*)\})|(?P<mark>[&|!()]))")
SIGNS = {"==": "EQ", "!=": "NE", ">=": "GE", "<=": "LE", ">": "GT", "<": "LT"}


class Tables:
    """All that was read; programs are lists of (op, argument), shared when equal."""

    def __init__(self, directory):
        self.sources = gen.read_sources(directory)
        self.features = gen.read_features(directory, self.sources)
        self.by_name = gen.by_name(self.features)
        self.trees, self.options, self.parameters = {}, {}, []
        self.rules, self.views, self.leaves, self.limits = [], [], [], []
        self.adds, self.hides, self.needs, self.raises, self.flags = [], [], [], [], {}
        self.code, self.programs, self.seen = [], {}, {}

    def feature(self, line, name):
        if name not in self.by_name:
            line.refuse(f"unknown feature {name}")
        return self.by_name[name]

    def mask(self, line, text):
        """all, or NAME and FIRST..LAST with commas, as a mask of trees."""
        names, mask = list(self.trees), 0
        if text == "all":
            return (1 << len(names)) - 1
        for part in text.split(","):
            first, _, last = part.partition("..")
            for name in filter(None, (first, last)):
                if name not in self.trees:
                    line.refuse(f"unknown tree {name}")
            low, high = names.index(first), names.index(last or first)
            if low > high:
                line.refuse(f"{part}: the trees are in the other order")
            mask |= ((2 << high) - 1) & ~((1 << low) - 1)
        return mask

    def once(self, line, key, what):
        if key in self.seen:
            line.refuse(f"{what} is already there ({self.seen[key].at()})")
        self.seen[key] = line

    def term(self, line, word):
        if ":" not in word:
            return word.upper(), "0"
        kind, _, name = word.partition(":")
        if kind == "option":
            if name not in self.options:
                line.refuse(f"unknown option {name}")
            return "OPTION", str(list(self.options).index(name))
        if kind == "kvm":
            if not line.text.startswith("qemu-"):
                line.refuse(f"{word}: only QEMU's lines follow KVM's answer")
            return "ANSWER", self.feature(line, name).symbol()
        if kind in ("raw", "control"):
            return kind.upper(), self.feature(line, name).symbol()
        if kind == "linux" and name in self.by_name:
            return "LINUX", self.by_name[name].symbol()
        if word not in self.flags:
            line.refuse(f"unknown flag {word}: kvm-linux.txt does not set it before")
        return "LINUX", f"EVC_N_FEATURES + {self.flags[word]}"

    def program(self, line, text):
        """Postfix of an expression by precedence ! & |; - is always true."""
        if text == "-":
            return self.keep([("TRUE", "0")])
        out, stack, at, operand = [], [], 0, False
        rank = {"|": 1, "&": 2, "!": 3}

        def pop():
            out.append(({"|": "OR", "&": "AND", "!": "NOT"}[stack.pop()], "0"))

        while text[at:].strip():
            match = TOKEN.match(text, at)
            if not match:
                line.refuse(f"bad condition at: {text[at:].strip()}")
            at, mark = match.end(), match["mark"]
            if operand != (mark in ("&", "|", ")")):
                line.refuse(f"bad condition: misplaced {match[0].strip()}")
            if mark is None:
                out += self.operand(line, match)
                operand = True
            elif mark in ("!", "("):
                stack.append(mark)
            elif mark == ")":
                while stack and stack[-1] != "(":
                    pop()
                if not stack:
                    line.refuse("bad condition: ) without (")
                stack.pop()
            else:
                while stack and stack[-1] != "(" and rank[stack[-1]] >= rank[mark]:
                    pop()
                stack.append(mark)
                operand = False
        if not operand or "(" in stack:
            line.refuse("bad condition: it ends too early")
        while stack:
            pop()
        return self.keep(out)

    def operand(self, line, match):
        if match["word"]:
            return [self.term(line, match["word"])]
        sort = match["sort"].upper()
        if match["sign"]:
            return [(f"{sort}_{SIGNS[match['sign']]}", match["number"])]
        numbers = [number.strip() for number in match["list"].split(",")]
        if not all(re.fullmatch(r"0x[0-9a-f]+|\d+", number) for number in numbers):
            line.refuse(f"bad condition: not numbers: {match['list']}")
        return [(f"{sort}_EQ", number) for number in numbers] + [("OR", "0")] * (len(numbers) - 1)

    def keep(self, program):
        key = tuple(program)
        if key not in self.programs:
            self.programs[key] = len(self.code)
            self.code += program + [("END", "0")]
        return self.programs[key]


def yes_no(line, text):
    if text not in ("yes", "no"):
        line.refuse(f"{text} is not yes or no")
    return text == "yes"


def read_tree(tables, line, words):
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", words[1])
    if not match:
        line.refuse(f"not a kernel version: {words[1]}")
    tables.once(line, ("tree", words[0]), words[0])
    tables.trees[words[0]] = tuple(int(part) for part in match.groups()) + (words[2:] == ["apart"],)


def read_option(tables, line, words):
    tables.once(line, ("option", words[0]), words[0])
    usual = yes_no(line, words[1])
    other = tables.mask(line, words[2]) if len(words) > 2 else 0
    if other and yes_no(line, words[3]) == usual:
        line.refuse("an exception that is none")
    tables.options[words[0]] = (usual, other)


def read_parameter(tables, line, words):
    if words[1] not in tables.options:
        line.refuse(f"unknown option {words[1]}")
    tables.once(line, ("parameter", words[0]), words[0])
    tables.parameters.append((words[0], list(tables.options).index(words[1])))


def read_leaf(tables, line, words):
    first, _, last = words[0].partition("-")
    tables.leaves.append((int(first, 16), int(last or first, 16), tables.mask(line, words[2])))


def read_limit(tables, line, words):
    feature = tables.feature(line, words[0])
    tables.limits.append((feature, int(words[1], 0), tables.mask(line, words[2]),
                          tables.program(line, " ".join(words[3:]))))


def read_raise(tables, line, words):
    tables.raises.append((int(words[0], 0), int(words[1], 0), tables.mask(line, words[2]),
                          tables.program(line, " ".join(words[3:]))))


def read_qemu(tables, line, words, rows):
    match = re.fullmatch(r"(\d+)\.(\d+)", words[1])
    if not match:
        line.refuse(f"not a version: {words[1]}")
    feature = tables.feature(line, words[0])
    tables.once(line, (id(rows), feature.name, words[1]), f"{feature.name} of {words[1]}")
    rows.append((feature, int(match[1]) * 100 + int(match[2]), tables.program(line, " ".join(words[2:]))))


def read_need(tables, line, words):
    inside = [f for f in tables.features if f.place.register() == words[0]] or [tables.feature(line, words[0])]
    tables.needs += [(feature, tables.feature(line, words[1])) for feature in inside]


def read_rule(tables, line, words):
    if len(words) < 4 or words[1] not in HOW:
        line.refuse(f"not FEATURE HOW TREES CONDITION, HOW one of {' '.join(HOW)}")
    feature, mask = tables.feature(line, words[0]), tables.mask(line, words[2])
    condition = " ".join(words[3:])
    tables.once(line, (words[0], words[1], condition, words[2]), f"this rule of {words[0]}")
    program = tables.program(line, condition)
    if words[1] != "never":
        tables.rules.append((feature, words[1], mask, program))


WORDS = {"tree": (read_tree, 2), "option": (read_option, 2), "parameter": (read_parameter, 2), "leaf": (read_leaf, 3),
         "limit": (read_limit, 4), "raise": (read_raise, 4), "qemu-needs": (read_need, 2),
         "qemu-adds": (lambda t, line, words: read_qemu(t, line, words, t.adds), 3),
         "qemu-hides": (lambda t, line, words: read_qemu(t, line, words, t.hides), 3)}


def split_source(tables, line):
    text, mark, source = line.text.rpartition("  @")
    if not mark:
        line.refuse("missing source")
    for one in source.split(","):
        if ":" in one or one.strip() in tables.sources:
            gen.known_source(line, one.strip(), tables.sources)
    gen.known_source(line, source.split(",")[0].strip(), tables.sources)
    return text.split()


def read_view(tables, line, words):
    if len(words) < 4 or words[1] not in ("set", "clear") or not re.match(r"(linux|bug):.", words[0]):
        line.refuse("not linux:FEATURE|FLAG or bug:FLAG, set or clear, TREES CONDITION")
    mask, program = tables.mask(line, words[2]), tables.program(line, " ".join(words[3:]))
    name = words[0].partition(":")[2]
    tables.once(line, ("view",) + tuple(words), "this line")
    if words[0].startswith("linux:") and name in tables.by_name:
        place = tables.by_name[name].symbol()
    else:
        place = f"EVC_N_FEATURES + {tables.flags.setdefault(words[0], len(tables.flags))}"
    tables.views.append((place, words[1], mask, program))


def read(directory):
    tables, rules = Tables(directory), []
    for line in gen.read_lines(directory, "kvm.txt"):
        words = split_source(tables, line)
        if words[0] in ("tree", "option", "parameter"):
            kind, least = WORDS[words[0]]
            if len(words) <= least:
                line.refuse(f"{words[0]} says too little")
            kind(tables, line, words[1:])
        else:
            rules.append((line, words))
    for line in gen.read_lines(directory, "kvm-linux.txt"):
        read_view(tables, line, split_source(tables, line))
    for line, words in rules:
        if words[0] not in WORDS:
            read_rule(tables, line, words)
            continue
        kind, least = WORDS[words[0]]
        if len(words) <= least:
            line.refuse(f"{words[0]} says too little")
        kind(tables, line, words[1:])
    if len(tables.trees) > 16:
        raise gen.Refusal("kvm.txt: more than 16 trees")
    order = {id(feature): index for index, feature in enumerate(tables.features)}
    tables.rules.sort(key=lambda rule: (order[id(rule[0])], rule[1] == "clear"))
    return tables


def table(out, kind, name, rows):
    out.write(f"\nconst struct {kind} {name}[] = {{\n")
    for row in rows:
        out.write(f"\t{{ {row} }},\n")
    out.write(f"}};\nconst size_t {name.replace('evc_', 'evc_n_', 1)} = {len(rows)};\n")


def write(out, tables):
    out.write("/* Generated by tools/gen_kvm.py from data/kvm.txt, kvm-linux.txt: do not edit. */\n"
              "#include \"core/kvm_rules.h\"\n")
    table(out, "evc_kvm_tree", "evc_kvm_trees",
          [f"{gen.quote(name)}, {major}, {minor}, {patch}, {str(apart).lower()}"
           for name, (major, minor, patch, apart) in tables.trees.items()])
    table(out, "evc_kvm_option", "evc_kvm_options",
          [f"{gen.quote(name)}, {str(usual).lower()}, 0x{other:x}" for name, (usual, other) in tables.options.items()])
    table(out, "evc_kvm_parameter", "evc_kvm_parameters",
          [f"{gen.quote(name)}, {option}" for name, option in tables.parameters])
    table(out, "evc_kvm_view", "evc_kvm_views",
          [f"{place}, {str(effect == 'clear').lower()}, 0x{mask:x}, {program}"
           for place, effect, mask, program in tables.views])
    table(out, "evc_kvm_rule", "evc_kvm_rules",
          [f"{feature.symbol()}, EVC_KVM_{how.upper()}, 0x{mask:x}, {program}"
           for feature, how, mask, program in tables.rules])
    table(out, "evc_kvm_leaf", "evc_kvm_leaves",
          [f"0x{first:x}, 0x{last:x}, 0x{mask:x}" for first, last, mask in tables.leaves])
    table(out, "evc_kvm_limit", "evc_kvm_limits",
          [f"{feature.symbol()}, 0x{most:x}, 0x{mask:x}, {program}" for feature, most, mask, program in tables.limits])
    table(out, "evc_kvm_raise", "evc_kvm_raises",
          [f"0x{leaf:x}, 0x{start:x}, 0x{mask:x}, {program}" for leaf, start, mask, program in tables.raises])
    for name, rows in (("adds", tables.adds), ("hides", tables.hides)):
        table(out, "evc_kvm_qemu", f"evc_kvm_qemu_{name}",
              [f"{feature.symbol()}, {since}, {program}" for feature, since, program in rows])
    table(out, "evc_kvm_need", "evc_kvm_needs",
          [f"{feature.symbol()}, {needed.symbol()}" for feature, needed in tables.needs])
    table(out, "evc_kvm_op", "evc_kvm_code", [f"EVC_OP_{op}, {argument}" for op, argument in tables.code])
    out.write(f"\n_Static_assert({len(tables.flags)} <= EVC_KVM_FLAGS, \"flags\");\n"
              f"_Static_assert({len(tables.options)} <= EVC_KVM_OPTIONS, \"options\");\n")


if __name__ == "__main__":
    sys.exit(gen.generate(__doc__, read, write))
