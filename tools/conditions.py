# SPDX-License-Identifier: LGPL-2.1-or-later
"""Conditions of data files, as programs of a small stack machine.

Terms with & | ! ( ), by precedence ! & |.  What a term is, the subclass knows.
"""

import re

TOKEN = re.compile(r"\s*(?:(?P<mark>[&|!()])|(?P<word>[^\s&|!()]+))")


class Conditions:
    """Programs are lists of (op, argument) in postfix order, shared when equal; each ends with END."""

    def __init__(self):
        self.code, self.programs = [], {}

    def term(self, line, word):
        """A term as (op, argument)."""
        raise NotImplementedError

    def program(self, line, text):
        """The index at which the program of a condition begins."""
        tokens = [match["mark"] or match["word"] for match in TOKEN.finditer(text)]
        out = self.either(line, tokens)
        if tokens:
            line.refuse(f"bad condition at: {' '.join(tokens)}")
        key = tuple(out)
        if key not in self.programs:
            self.programs[key] = len(self.code)
            self.code += out + [("END", "0")]
        return self.programs[key]

    def either(self, line, tokens):
        out = self.both(line, tokens)
        while tokens and tokens[0] == "|":
            del tokens[0]
            out += self.both(line, tokens) + [("OR", "0")]
        return out

    def both(self, line, tokens):
        out = self.one(line, tokens)
        while tokens and tokens[0] == "&":
            del tokens[0]
            out += self.one(line, tokens) + [("AND", "0")]
        return out

    def one(self, line, tokens):
        if not tokens or tokens[0] in ("&", "|", ")"):
            line.refuse(f"bad condition: a term is missing before {tokens[0] if tokens else 'the end'}")
        token = tokens.pop(0)
        if token == "!":
            return self.one(line, tokens) + [("NOT", "0")]
        if token == "(":
            out = self.either(line, tokens)
            if not tokens or tokens.pop(0) != ")":
                line.refuse("bad condition: ( without )")
            return out
        return [self.term(line, token)]
