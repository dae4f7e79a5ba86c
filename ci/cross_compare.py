#!/usr/bin/env python3
"""Compares the facts of a program of another architecture with those of the native one.

  ci/cross_compare.py NATIVE.json OTHER.json NAME

Prints every answer of yes, no, word or set that differs, with the reason that the probe gave. Fails
when a fact's process died or hung there and not here, or when the other program knows other facts.
"""
import json
import pathlib
import sys

# What ends the emulator itself and not the program: its child died of it, and the rest went on.
EMULATOR = {"select.fd_above_setsize": "qemu-user copies into an fd_set of its own, which is full"}


def main(argv):
    if len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    native, other = (json.loads(pathlib.Path(path).read_text()) for path in argv[1:3])
    here = {fact["id"]: fact for fact in native["facts"]}
    there = {fact["id"]: fact for fact in other["facts"]}
    failed = sorted(set(here) ^ set(there))
    differs = []
    for name, fact in there.items():
        known = here.get(name, fact)
        died = fact["reason"] in ("timeout", "crashed") and known["reason"] != fact["reason"]
        if died and name in EMULATOR and "qemu-user" in other["host"]["layers"]:
            print(f"  {name}: {EMULATOR[name]}")
        elif died:
            failed.append(f"{name}: {fact['reason']}, {fact['note']}")
        numbers = all(type(one["value"]) in (int, float) for one in (fact, known))
        if fact["value"] != known["value"] and not numbers:
            differs.append(f"  {name}: {json.dumps(fact['value'])[:60]} ({fact['reason']}), native "
                           f"{json.dumps(known['value'])[:60]} ({known['reason']})")
    print(f"{argv[3]}: {other['host']['arch']}, layers {other['host']['layers']}, "
          f"{len(there)} facts, {len(differs)} other answers than native")
    print("\n".join(differs))
    print("\n".join(f"failed: {one}" for one in failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
