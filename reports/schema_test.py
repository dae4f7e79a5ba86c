#!/usr/bin/env python3
"""Validates journals, merged documents and reports against the published schemas.

  schema_test.py RENDER [JOURNAL...]      RENDER is the tool loopscope_render

The published schemas allow keys to be added. The test does not: a key that a schema does not name
fails here, so that the schemas stay complete. Without python3-jsonschema the test fails, unless
LOOPSCOPE_SCHEMA=none asks to leave it out (exit code 77).
"""
import json
import os
import pathlib
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    if os.environ.get("LOOPSCOPE_SCHEMA") == "none":
        print("left out: no python3-jsonschema, and LOOPSCOPE_SCHEMA is none")
        sys.exit(77)
    sys.exit("schema_test: install python3-jsonschema, or set LOOPSCOPE_SCHEMA=none")

HERE = pathlib.Path(__file__).resolve().parent


def closed(schema):
    """The schema with every object that names its properties closed to others."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: closed(part) for key, part in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        out.setdefault("additionalProperties", False)
    return out


def validator(name):
    schema = json.loads((HERE / "schema" / name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(closed(schema))


def complain(what, errors):
    lines = []
    for error in errors:
        place = "/".join(str(part) for part in error.absolute_path)
        lines.append(f"{what}: at {place or 'the top'}: {error.message[:300]}")
    return lines[:20]


def line_errors(name, text, lines_of):
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            found += complain(f"{name}:{number}", lines_of.iter_errors(json.loads(line)))
    return found


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    given = [pathlib.Path(name) for name in argv[2:]]
    journals = given or sorted((HERE / "testdata").glob("*.ndjson"))
    report_of, lines_of = validator("report.schema.json"), validator("journal.schema.json")
    found = []
    for path in journals:
        found += line_errors(path.name, path.read_text(encoding="utf-8"), lines_of)
        merged = subprocess.run([argv[1], "merged", path], check=True, stdout=subprocess.PIPE)
        found += line_errors(f"merged {path.name}", merged.stdout.decode("utf-8"), lines_of)
        text = subprocess.run([argv[1], "json", path], check=True, stdout=subprocess.PIPE).stdout
        found += complain(f"report of {path.name}", report_of.iter_errors(json.loads(text)))
    kills = json.loads((HERE / "testdata" / "kills.json").read_text(encoding="utf-8"))
    found += complain("kills.json", validator("kills.schema.json").iter_errors(kills))
    # The validator must be able to say no: a report without its cells is refused.
    broken = json.loads(text)
    del broken["cells"]
    if not list(report_of.iter_errors(broken)):
        found.append("the schema accepts a report without cells")
    print("\n".join(found) or f"{len(journals)} journals and their reports are valid")
    return 1 if found or not journals else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
