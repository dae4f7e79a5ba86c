#!/usr/bin/env python3
"""Runs `loopscope require` as a user would: shipped profiles, own ones, saved machines, bad input.

  probe/require_test.py LOOPSCOPE

The JSON is held against reports/schema/require.schema.json where python3-jsonschema is there;
LOOPSCOPE_SCHEMA=none leaves that part out.
"""
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "reports/schema/require.schema.json"
found = []


def check(condition, what):
    if not condition:
        found.append(what)


class Tool:
    def __init__(self, program):
        self.program = program

    def __call__(self, *arguments, **options):
        done = subprocess.run([self.program, "require", *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        return done.returncode, done.stdout, done.stderr


def validator():
    try:
        import jsonschema
    except ImportError:
        check(os.environ.get("LOOPSCOPE_SCHEMA") == "none", "python3-jsonschema is missing")
        return None
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def shipped(tool, valid):
    for name in ("http-server", "many-timers", "desktop", "container-default-seccomp",
                 "embedded-small"):
        code, text, _ = tool(name, "--format", "json")
        document = json.loads(text)
        for error in list(valid.iter_errors(document))[:5] if valid else []:
            found.append(f"{name}: {error.message[:200]}")
        check(code == (0 if document["fits"] else 6), f"{name}: exit code {code}")
        fits = [row["loop"] for row in document["ranking"] if row["fits"]]
        check(fits == document["fits"], f"{name}: {fits} fit, {document['fits']} is said")
        check(document["machine"]["measured_now"], f"{name}: measured now")
        shown = tool(name)[1]
        check(all(f". {row['loop']} " in shown for row in document["ranking"]),
              f"{name}: the text lacks a loop")
    if valid:
        broken = copy.deepcopy(document)
        broken["ranking"][0]["must"]["unknown"] = 1
        broken["ranking"][0]["fits"] = True
        check(not valid.is_valid(broken), "the schema lets unknown musts fit")


def saved(tool, folder, probe):
    """Another machine: what it says decides, and what it does not say is unknown."""
    path = folder / "machine.json"
    profile = folder / "own.toml"
    profile.write_text("[must]\nfacts = ['uring.setup']\nnumbers.'pipe.capacity' = "
                       "{ at_least = 65536 }\n")

    def judged(**changes):
        document = copy.deepcopy(probe)
        document["facts"] = [fact for fact in document["facts"]
                             if changes.get(fact["id"].replace(".", "_"), 0) != "gone"]
        for fact in document["facts"]:
            change = changes.get(fact["id"].replace(".", "_"))
            fact.update(change if isinstance(change, dict) else {})
        path.write_text(json.dumps(document))
        code, text, _ = tool(profile, "--facts", path, "--format", "json")
        row = next(r for r in json.loads(text)["ranking"] if r["loop"] == "poll")
        return code, [r["result"] for r in row["requirements"]]

    yes = {"value": True, "reason": "none"}
    room = {"value": 65536, "reason": "none"}
    for changes, want in (
            ({"uring_setup": yes, "pipe_capacity": room}, (0, ["satisfied"] * 3)),
            ({"uring_setup": {"value": False, "reason": "denied"}, "pipe_capacity": room},
             (6, ["satisfied", "missing", "satisfied"])),
            ({"uring_setup": {"value": None, "reason": "timeout"}, "pipe_capacity": room},
             (6, ["satisfied", "unknown", "satisfied"])),
            ({"uring_setup": "gone", "pipe_capacity": {"value": 4096}},
             (6, ["satisfied", "unknown", "missing"])),
            ({"poll_present": {"value": False, "reason": "not_implemented"},
              "uring_setup": yes, "pipe_capacity": room},
             (None, ["missing", "satisfied", "satisfied"]))):
        code, results = judged(**changes)
        check(results == want[1], f"{changes}: {results}")
        check(want[0] is None or code == want[0], f"{changes}: exit code {code}")


def bad_input(tool, folder):
    def one(what, arguments, code, *words):
        got, out, err = tool(*arguments)
        check(got == code, f"{what}: exit code {got}")
        check(out == "" and err.count("error LS") == 1, f"{what}: {out[:100]} {err[:200]}")
        for word in words:
            check(word in err, f"{what}: no {word!r} in {err[:300]}")

    profile = folder / "bad.toml"
    for text, *words in (
            ("[must]\nfacts = ['epol.exclusive']", "line 2", "epoll.exclusive"),
            ("[must]\ncapabilities = ['call_son']", "line 2", "call_soon"),
            ("[must\n", "line 1"),
            ("[must]\nfacts = ['eventfd']\n[must]\n", "line 3"),
            ("\xff", "line 1"),
            ("", "requires nothing")):
        profile.write_text(text, encoding="latin-1")
        one(f"profile {text!r}", [profile], 64, "bad.toml", *words)
    one("an unknown name", ["htp-server"], 64, "near       http-server")
    one("no such file", [folder / "none.toml"], 64, "none.toml")
    one("a folder", [f"{folder}/"], 64)
    profile.write_text("[must]\nfacts = ['eventfd']\n")
    machine = folder / "bad.json"
    for text, word in (("{", "line 1"), ("[]", "no object"), ("", "not JSON"),
                       ('{"schema": "loopscope.journal/1"}', "loopscope.journal/1")):
        machine.write_text(text)
        one(f"report {text!r}", [profile, "--facts", machine], 64, "bad.json", word)
    one("no report", [profile, "--facts", folder / "none.json"], 64, "ENOENT")
    one("no profile", [], 64)


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    tool = Tool(argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        probe = json.loads(subprocess.run([argv[1], "probe", "--format", "json"], check=True,
                                          stdout=subprocess.PIPE).stdout)
        shipped(tool, validator())
        saved(tool, folder, probe)
        bad_input(tool, folder)
    print("\n".join(found) or "require: as expected")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
