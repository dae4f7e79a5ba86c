#!/usr/bin/env python3
"""Holds `loopscope probe` against its published schema, and its text against its JSON.

  probe_schema_test.py LOOPSCOPE      LOOPSCOPE is the executable

Without python3-jsonschema the test fails, unless LOOPSCOPE_SCHEMA=none asks to leave it out (exit
code 77).
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    if os.environ.get("LOOPSCOPE_SCHEMA") == "none":
        print("left out: no python3-jsonschema, and LOOPSCOPE_SCHEMA is none")
        sys.exit(77)
    sys.exit("probe_schema_test: install python3-jsonschema, or set LOOPSCOPE_SCHEMA=none")

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "reports/schema/probe.schema.json"


def output(loopscope, *arguments):
    # A generous deadline: a loaded machine is slow, and this test judges the answers.
    command = [loopscope, "probe", "--deadline-ms", "10000", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode("utf-8")


def spoilt(document):
    """Documents that the schema must refuse, each with what is wrong about it."""
    def change(what, edit):
        copied = copy.deepcopy(document)
        edit(copied)
        return what, copied

    yield change("another schema", lambda d: d.update(schema="loopscope.probe/0"))
    yield change("no host", lambda d: d.pop("host"))
    yield change("a fact without a question", lambda d: d["facts"][0].pop("question"))
    yield change("an unknown reason", lambda d: d["facts"][0].update(reason="weather"))
    yield change("a null without a reason",
                 lambda d: d["facts"][0].update(value=None, reason="none"))


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(output(argv[1], "--format", "json"))
    found = []
    for error in list(validator.iter_errors(document))[:20]:
        place = "/".join(str(part) for part in error.absolute_path)
        found.append(f"at {place or 'the top'}: {error.message[:300]}")
    for what, broken in spoilt(document):
        if validator.is_valid(broken):
            found.append(f"the schema accepts {what}")
    ids = {fact["id"] for fact in document["facts"]}
    shown = set(re.findall(r"\S+", output(argv[1])))
    found += [f"the text does not show {one}" for one in sorted(ids - shown)]
    if len(ids) < 90:
        found.append(f"only {len(ids)} facts")
    print("\n".join(found) or f"{len(ids)} facts are valid, and all of them are in the text")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
