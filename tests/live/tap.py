# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results of tests in the form that Meson and prove read."""

import sys


class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def result(self, good, name, notes=()):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}")
        for note in notes:
            print(f"# {note}")
        sys.stdout.flush()

    def skip(self, name, why):
        self.number += 1
        print(f"ok {self.number} - {name} # SKIP {why}")

    def close(self):
        print(f"1..{self.number}")
        return 1 if self.failed else 0
