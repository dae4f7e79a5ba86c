#!/usr/bin/env python3
"""Prints one line of NDJSON for each machine: who it is, and each fact's value.

  ci/fleet/rows.py FILE|FOLDER... >machines.ndjson

FILE is what `loopscope probe --format json` wrote, or many of them, one on a line. What is no such
document is named on standard error and left out; the result is 64 then.
"""
import json
import pathlib
import sys


def documents(path):
    text = path.read_text()
    try:
        yield json.loads(text)
    except ValueError:
        for line in text.splitlines():
            if line.strip():
                yield json.loads(line)


def row(name, document):
    host = document["host"]
    return {"name": name, "os": host["os"], "kernel": host["kernel"], "arch": host["arch"],
            "libc": host["libc"], "layers": host["layers"],
            "facts": {fact["id"]: fact["value"] for fact in document["facts"]},
            "why_not": {fact["id"]: fact["reason"] for fact in document["facts"]
                        if fact["reason"] not in ("none", "not_applicable")}}


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    code = 0
    for argument in map(pathlib.Path, argv[1:]):
        for path in sorted(argument.glob("*.json")) if argument.is_dir() else [argument]:
            try:
                for number, document in enumerate(documents(path)):
                    name = f"{path.stem}-{number}" if number else path.stem
                    print(json.dumps(row(name, document), separators=(",", ":")))
            except (OSError, ValueError, KeyError, TypeError) as error:
                print(f"rows.py: {path}: {error!r}", file=sys.stderr)
                code = 64
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
