# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the golden tests and the manual's examples share: run a command as a new user would."""
import os
import subprocess

TOP = os.environ.get("EVC_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
EVC = os.environ.get("EVC", os.path.join(TOP, "build/evc"))


def run(command):
    """The shell command's text (stderr after or between as it comes) and its status, in the source tree."""
    env = {"PATH": os.path.dirname(os.path.abspath(EVC)) + ":/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C",
           "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent", "NO_COLOR": "1"}
    if "ASAN_OPTIONS" in os.environ:
        env["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
    done = subprocess.run(["/bin/sh", "-c", command], cwd=TOP, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.stdout.decode("utf-8", "replace"), done.returncode
