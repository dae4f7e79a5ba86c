#!/usr/bin/env python3
"""Runs `loopscope fleet` over generated reports, and counts them a second time by itself.

  probe/fleet_test.py LOOPSCOPE [REPORTS]

With REPORTS (10000, say) it also prints how long that many took, and how much memory.
"""
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parent / "reports/schema/fleet.schema.json"
found = []


def check(condition, what):
    if not condition:
        found.append(what)


def run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def recount(folder):
    """By machine: each has its own kernel release here."""
    machines = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        machines[document["host"]["kernel"]] = document
    counts = {}
    for document in machines.values():
        layered = any(not one.startswith("virtual machine") for one in document["host"]["layers"])
        for fact in document["facts"]:
            row = counts.setdefault(fact["id"], {side: dict.fromkeys(
                ("has", "lacks", "unknown", "not_applicable"), 0) for side in ("plain", "layered")})
            stand = "has" if fact["value"] else "lacks"
            if fact["value"] is None:
                elsewhere = fact["reason"] == "not_applicable"
                stand = "not_applicable" if elsewhere else "unknown"
            row["layered" if layered else "plain"][stand] += 1
    return machines, counts


def counted(program, folder):
    machines, counts = recount(folder)
    code, text, err = run(program, "fleet", folder, "--format", "json")
    check(code == 0 and not err, f"exit code {code}: {err[:200]}")
    document = json.loads(text)
    check(len(document["machines"]) == len(machines),
          f"{len(document['machines'])} machines, not {len(machines)}")
    for fact in document["facts"]:
        want = counts[fact["id"]]
        check(fact["plain"] == want["plain"] and fact["layered"] == want["layered"],
              f"{fact['id']}: {fact['plain']} {fact['layered']}, not {want}")
    check({fact["id"] for fact in document["facts"]} == set(counts), "other facts")
    exclusive = next(fact for fact in document["facts"] if fact["id"] == "epoll.exclusive")
    for part in ("no at 4.4", "yes at 4.5", "no data between 5.4 and 5.15",
                 "no data between 4.5 and 5.0"):
        check(part in exclusive["kernels"], f"{part!r} is not in {exclusive['kernels']!r}")
    try:
        import jsonschema
        schema = json.loads(SCHEMA.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        named = json.loads(run(program, "fleet", folder, "-F", "epoll.", "-f", "json")[1])
        for one in (document, named):
            for error in jsonschema.Draft202012Validator(schema).iter_errors(one):
                found.append(f"schema: {error.message[:200]}")
        who = next(fact for fact in named["facts"] if fact["id"] == "epoll.exclusive")["who"]
        check(sum(map(len, who.values())) == len(machines), "who does not name every machine")
    except ImportError:
        check(os.environ.get("LOOPSCOPE_SCHEMA") == "none", "python3-jsonschema is missing")
    lines = [json.loads(line) for line in
             run(program, "fleet", folder, "--format", "ndjson")[1].splitlines()]
    check([line["fact"] for line in lines if "fact" in line] == document["facts"], "NDJSON facts")
    check([line["machine"] for line in lines if "machine" in line] == document["machines"],
          "NDJSON machines")
    return document


def broken(program, folder, document):
    (folder / "cut.json").write_text((folder / "report-00000.json").read_text()[:5000])
    (folder / "empty.json").write_text("")
    (folder / "other.json").write_text('{"schema": "somebody/1"}')
    (folder / "unread.json").symlink_to("nowhere")
    code, text, err = run(program, "fleet", folder, "--format", "json")
    check(code == 64, f"broken files: exit code {code}")
    for name, word in (("cut", "line "), ("empty", "not JSON"), ("other", "somebody/1"),
                       ("unread", "ENOENT")):
        said = [line for line in err.split("error ") if f"{name}.json" in line]
        check(len(said) == 1 and word in said[0], f"{name}.json: {said}")
    after = json.loads(text)
    check(after["facts"] == document["facts"], "broken files change the counts")
    check(len(after["broken"]) == 4, "four broken files")
    code, _, err = run(program, "fleet", folder, "-F", "epol.exclusive")
    check(code == 64 and "epoll.exclusive" in err, f"an unknown fact: {code} {err[:200]}")
    nothing = folder / "nothing"
    nothing.mkdir()
    check(run(program, "fleet", nothing)[0] == 4, "an empty folder")
    check(run(program, "fleet", folder / "none")[0] == 64, "no such folder")


def many(program, base, folder, reports):
    run(sys.executable, HERE / "testdata/make_fleet.py", base, folder, reports)
    size = sum(path.stat().st_size for path in folder.iterdir())
    began = time.monotonic()
    code, text, _ = run(program, "fleet", folder)
    took = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{reports} reports, {size >> 20} MiB: {took:.1f} s, at most {peak} MiB in memory; "
          f"{text.splitlines()[0]}")
    check(code == 0 and peak < 1024, f"exit code {code}, {peak} MiB")


def main(argv):
    if len(argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 64
    program = pathlib.Path(argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        base = pathlib.Path(name) / "base.json"
        run(program, "probe", "--deadline-ms", "20000", "--format", "json", "-o", base)
        folder = pathlib.Path(name) / "fleet"
        run(sys.executable, HERE / "testdata/make_fleet.py", base, folder, 100)
        broken(program, folder, counted(program, folder))
        if len(argv) == 3:
            many(program, base, pathlib.Path(name) / "many", int(argv[2]))
    print("\n".join(found) or "fleet: as counted")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
