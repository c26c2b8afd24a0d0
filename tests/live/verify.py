#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""evc verify: what guests really see, held against what evc predicts.  TAP on standard output.

Here: the probe guest under QEMU's own emulation, and the refusals of a machine as it is.  In a host of the lab, which has
a real KVM: the micro-VM at every mode and at another host's, the cost of an exit, and the probe guest.

Environment: EVC (the program), EVC_SOURCE (the tree), EVC_LAB_CACHE (where a lab keeps what its hosts boot from).
"""

import json
import os
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("EVC_SOURCE", os.getcwd())
EVC = os.path.abspath(os.environ.get("EVC", os.path.join(SOURCE, "build/evc")))
LAB = os.path.join(SOURCE, "lab/evc-lab")
HOST, OTHER = "rome", "phenom"
HELD, BROKEN, UNTESTED = 0, 1, 3
# Zen 2 has them, lab-greyhound hides them, and no control of an AMD CPU is about them.
LEAKS = "pshufb pmulld pcmpgtq crc32 aesenc pclmulqdq movbe andn pdep adcx"

sys.path[:0] = [os.path.join(SOURCE, "lab")]
import image  # noqa: E402 pylint: disable=wrong-import-position
from tap import Tap  # noqa: E402 pylint: disable=wrong-import-position


def lab(*argv, timeout=120):
    return subprocess.run([sys.executable, LAB, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=timeout, check=False, text=True, errors="replace")


def verify(*argv, host=None, timeout=300):
    """Exit status, the parsed JSON (None when there is none), what was said."""
    words = ("evc", "verify", "--json", *argv)
    if host:
        done = lab("exec", "--timeout", str(timeout), host, *words, timeout=timeout + 30)
    else:
        done = subprocess.run([EVC, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, check=False, text=True, errors="replace")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = None
    return done.returncode, told, done.stderr.splitlines()


def wrong(told):
    """Differences that may not be, of every part of every mode, as lines."""
    return [f"{mode['mode']}: {part}: {one['place']} predicted {one['predicted']:x} seen {one['seen']:x} ({one['cause']})"
            for mode in (told or {}).get("modes", []) for part in ("micro", "bare", "inside")
            for one in mode.get(part, {}).get("differences", []) if not one["may_be"]]


def own_mode():
    """A mode of this machine's vendor that TCG can show most of."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as stream:
        text = stream.read()
    return "amd-zen" if "AuthenticAMD" in text or "HygonGenuine" in text else "intel-haswell"


# --- on this machine ---------------------------------------------------------------------------------

def check_here(tap, kernel):
    name = "a machine without KVM says so, and calls nothing of it tested"
    if os.path.exists("/dev/kvm"):
        tap.skip(name, "there is a /dev/kvm")
    else:
        status, told, said = verify("--mode", own_mode(), "--micro")
        tap.result(status == UNTESTED and told["modes"][0]["state"] == "untested" and "no /dev/kvm" in "".join(said), name, said)
    name = f"the probe guest under TCG sees {own_mode()} as predicted"
    if not kernel:
        tap.skip(name, "no QEMU or no kernel for it")
        return
    check_bare(tap)
    check_named(tap)
    status, told, said = verify("--mode", own_mode(), "--inside", "--accel", "tcg", "--kernel", kernel)
    mode = told["modes"][0] if told else {"proved": [], "reduced": [], "inside": {"leaves": 0}}
    tap.result(status == HELD and len(mode["proved"]) > 30 and mode["inside"]["leaves"] > 20 and not wrong(told), name, wrong(told) + said)
    tap.result("rdseed" in mode["reduced"] and "rdseed" not in mode["proved"],
               "what TCG cannot show is reduced and not proved", [str(mode["reduced"])])
    status, told, said = verify("--mode", own_mode(), "--inside", "--accel", "tcg", "--kernel", "/dev/null")
    tap.result(status == UNTESTED, "a guest that does not boot is no verdict", said)


def check_bare(tap):
    """Every mode of this machine's vendor, of which each guest takes less than a second."""
    status, told, said = verify("--all-modes", "--bare", "--accel", "tcg")
    modes = [mode for mode in (told or {}).get("modes", []) if mode["state"] != "other-vendor"]
    tap.result(status == HELD and len(modes) > 10 and all(mode["state"] == "as-predicted" for mode in modes) and not wrong(told),
               f"the bare guest under TCG sees every mode of its vendor as predicted, {len(modes)} modes", wrong(told) + said)
    tap.result(all(mode["bare"]["leaves"] > 20 for mode in modes), "every leaf of it")
    leaks = {one["name"] for mode in modes for one in mode["bare"]["leaks"]}
    tap.result(leaks <= {"rdseed"}, "no hidden instruction executes but the one that TCG lets", sorted(leaks))


def check_named(tap):
    """What was named must be tried; else what is possible, and the last line says what it was."""
    name = "a guest that was named and cannot be tried is no verdict, one that was not is no reason against it"
    if os.path.exists("/dev/kvm"):
        tap.skip(name, "there is a /dev/kvm")
        return
    both, told, said = verify("--mode", own_mode(), "--micro", "--bare")
    other, _, _ = verify("--mode", own_mode(), "--micro")
    mode = told["modes"][0] if told else {"state": "", "micro": {}, "bare": {}}
    tap.result((both, other) == (UNTESTED, UNTESTED) and mode["state"] == "untested" and mode["bare"]["state"] == "as-predicted"
               and mode["micro"]["possible"] is False, name, said)
    done = subprocess.run([EVC, "verify", "--mode", own_mode()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "EVC_KERNEL": "/dev/null"}, timeout=300, check=False, text=True)
    tap.result(done.returncode == UNTESTED, "a probe guest that does not answer is not excused", done.stdout.splitlines())


# --- in the lab --------------------------------------------------------------------------------------

def check_modes(tap):
    status, told, said = verify("--all-modes", "--micro", host=HOST)
    modes = [mode for mode in (told or {}).get("modes", []) if mode["state"] != "other-vendor"]
    tap.result(status == HELD and len(modes) > 10 and all(mode["state"] == "as-predicted" for mode in modes) and not wrong(told),
               f"the micro-VM sees every mode of its vendor as predicted, {len(modes)} modes", wrong(told) + said)
    tap.result(all(mode["micro"]["leaves"] > 10 for mode in modes), "every leaf of it")
    by_name = {mode["mode"]: mode for mode in modes}
    low, high = set(by_name["amd-rev-e"]["proved"]), set(by_name["amd-zen"]["proved"])
    tap.result("sse3" in low and "avx2" not in low and {"avx2", "bmi2", "sse4.2"} <= high,
               "a low mode hides what a high one shows, on the same machine")


def check_mask(tap):
    """A guest of the lesser host, run on the greater one: what the lesser lacks is not seen here either."""
    status, told, said = verify("--mode", "amd-greyhound", "--micro", "--host", f"/tmp/{OTHER}.json", host=HOST)
    tap.result(status == HELD and not wrong(told), f"a guest predicted for {OTHER} sees the same on {HOST}", wrong(told) + said)


def check_machine(tap, program):
    """The program's own TAP, each line a result here."""
    name = "guests that do not behave end as they should"
    if not program:
        tap.skip(name, "the program that tries them was not named: verify.py TEST-MACHINE")
        return
    lab("cp", program, f"{HOST}:/tmp/")
    done = lab("exec", HOST, "/tmp/" + os.path.basename(program))
    lines = [line for line in done.stdout.splitlines() if " - " in line]
    tap.result(done.returncode == 0 and len(lines) > 5 and "SKIP" not in done.stdout, name, done.stdout.splitlines())


def check_inside(tap):
    status, told, said = verify("--mode", "amd-zen", "--inside", "--kernel", "/boot/vmlinuz", host=HOST)
    mode = told["modes"][0] if told else {}
    tap.result(status == HELD and told["accelerator"] == "kvm" and len(mode["proved"]) > 40 and not wrong(told),
               "the probe guest under KVM sees amd-zen as predicted", wrong(told) + said)


def check_bare_kvm(tap):
    """QEMU's own part in it, and what RDMSR says in a guest of a real KVM."""
    status, told, said = verify("--mode", "lab-greyhound", "--micro", "--bare", host=HOST)
    mode = told["modes"][0] if told else {"bare": {"msrs": 0}, "micro": {"msrs": 0}, "reduced": ["?"]}
    tap.result(status == HELD and told["accelerator"] == "kvm" and not mode["reduced"] and not wrong(told),
               "the bare guest under KVM sees lab-greyhound whole, as the micro-VM does", wrong(told) + said)
    leaks = {one["name"]: one for one in mode["bare"].get("leaks", [])}
    missed = [name for name in LEAKS.split() if leaks.get(name, {}).get("reason") != "nothing can stop it"]
    tap.result(not missed and not set(leaks) & {"addsubps", "cmpxchg16b", "popcnt"},
               "hidden instructions that execute are named, and that nothing can stop them", missed + sorted(leaks))
    tap.result("leaks" not in mode["micro"], "the micro-VM executed none of them, and does not say that none leaks")
    tap.result(mode["bare"]["msrs"] > 30 and mode["micro"]["msrs"] > 30, "MSRs are among what both saw", [str(mode)[:200]])


def check_cost(tap):
    status, told, said = verify("--cost", host=HOST)
    good = status == 0 and told and told["least_cycles"] <= told["median_cycles"] and told["rate"] > 100
    tap.result(good, "the cost of an exit is measured", said + [str(told)])
    tap.result(good and 1 <= told["exits_per_cpuid"] < 1.5, "one CPUID is one exit, as KVM counts them", [str(told)])


def up(host):
    """One host at a time: two want more memory than many a machine has."""
    done = lab("up", host, "--while", str(os.getpid()), timeout=300)
    if done.returncode:
        raise RuntimeError(f"{host}: {done.stderr.strip()}")


def check_lab(tap, folder, program):
    up(OTHER)
    done = lab("exec", OTHER, "evc", "capture", "--name", OTHER)
    with open(os.path.join(folder, OTHER + ".json"), "w", encoding="utf-8") as out:
        out.write(done.stdout)
    lab("down", OTHER)
    up(HOST)
    lab("cp", os.path.join(folder, OTHER + ".json"), f"{HOST}:/tmp/")
    check_modes(tap)
    check_mask(tap)
    check_cost(tap)
    check_machine(tap, program)
    check_bare_kvm(tap)
    check_inside(tap)


def main():
    tap = Tap()
    kernel, why = image.ready(EVC)
    check_here(tap, kernel)
    if why:
        tap.skip("guests on a real KVM see what was predicted", why)
        return tap.close()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(EVC_LAB=os.path.join(folder, "lab"), EVC=EVC)
        try:
            check_lab(tap, folder, sys.argv[1] if len(sys.argv) > 1 else None)
        except (RuntimeError, subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError) as problem:
            tap.result(False, "the lab does what is asked of it", f"{type(problem).__name__}: {problem}".splitlines())
        finally:
            lab("down")
    return tap.close()


if __name__ == "__main__":
    sys.exit(main())
