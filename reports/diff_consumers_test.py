#!/usr/bin/env python3
"""Every format of a comparison counts what the two JSON reports hold.

  diff_consumers_test.py RENDER      RENDER is the tool loopscope_render

What changed is computed here from the reports alone, by the words of reports/diff.hpp; the formats
are read as text, by a JSON parser, as tables of Markdown, and by an HTML parser.
"""
import collections
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DISTANCE = {"pass": 0, "diverges": 1, "unsupported": 2, "skip": 2, "fail": 4, "leak": 4, "hang": 4,
            "crash": 4}  # from kept; what is unknown: 3
KINDS = ["regressed", "flaky", "fixed", "reason-changed", "rule-changed", "appeared", "vanished"]
MOST_ROWS = 50  # of cells, and of the host, in Markdown


class Failure(Exception):
    """What a format says is not so."""


def check(condition, what):
    if not condition:
        raise Failure(what)


def rendered(tool, *words):
    done = subprocess.run([tool, *words], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode("utf-8")


def grouped(report, named):
    """The repeats of each loop and scenario, apart by platform among several."""
    found = collections.defaultdict(list)
    for cell in report["cells"]:
        found[cell["platform"] if named else "", cell["loop"], cell["scenario"]].append(cell)
    return found


def rules(report):
    return {row["id"]: tuple(row[key] for key in ("promise", "source", "level", "authority"))
            for row in report["catalogue"]["scenarios"]}


def change_of(was, now, old_rule, new_rule):
    """A kind, or None where nothing changed."""
    before, after = ({cell["outcome"] for cell in cells} for cells in (was, now))
    reasons = [(cells[0]["variant"], cells[0]["what"], cells[0]["missing_cap"],
                cells[0]["missing_fact"], [leak["kind"] for leak in cells[0]["leaks"] or []])
               for cells in (was, now)]
    if before == after:
        return None if reasons[0] == reasons[1] else "reason-changed"
    if old_rule != new_rule:
        return "rule-changed"
    if len(before) == 1 and len(after) > 1:
        return "flaky"
    far = [max(DISTANCE.get(outcome, 3) for outcome in side) for side in (before, after)]
    if far[0] == far[1]:
        return "reason-changed"
    return "regressed" if far[1] > far[0] else "fixed"


def expected(old, new):
    """How many of each kind, and how many are the same."""
    named = len(old["legs"]) > 1 or len(new["legs"]) > 1
    before, after = grouped(old, named), grouped(new, named)
    old_rules, new_rules = rules(old), rules(new)
    counts = collections.Counter()
    for key in before.keys() | after.keys():
        if key not in after:
            counts["vanished"] += 1
        elif key not in before:
            counts["appeared"] += 1
        else:
            counts[change_of(before[key], after[key], old_rules.get(key[2]),
                             new_rules.get(key[2]))] += 1
    same = counts.pop(None, 0)
    return counts, same


def said_in(line):
    """"2 regressed, 66 unchanged" as numbers."""
    counts = collections.Counter({kind: int(count) for count, kind in
                                  re.findall(r"(\d+) ([a-z-]+)", line)})
    return counts, counts.pop("unchanged")


def text(page, want, host):
    lines = page.split("\n")
    check(said_in(lines[2]) == want, f"text: {lines[2]}, expected {want}")
    heads = collections.Counter()
    found = collections.Counter()
    kind = None
    for line in lines[3:]:
        head = re.fullmatch(r"(host-changed|" + "|".join(KINDS) + r") (\d+)", line)
        if head:
            kind = head[1]
            heads[kind] = int(head[2])
        elif re.match(r"  \S", line):
            found[kind] += 1
    check(heads == found, f"text: heads {heads}, lines {found}")
    check(found.pop("host-changed", 0) == host, "text: changes of the host")
    check(found == want[0], f"text: lines {found}, expected {want[0]}")


def markdown(page, want, host):
    check(said_in(page.split("\n", 1)[0]) == want, f"markdown: {page[:200]}")
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.split("\n") if line[:1] == "|"]
    found = collections.Counter(row[0].strip() for row in rows if len(row) == 5)
    found -= collections.Counter(["change", "---"])
    cells = sum(want[0].values())
    check(sum(found.values()) == min(cells, MOST_ROWS), f"markdown: {sum(found.values())} rows")
    check(all(count <= want[0][kind] for kind, count in found.items()), f"markdown: {found}")
    check(cells > MOST_ROWS or found == want[0], f"markdown: {found}, expected {want[0]}")
    left = max(cells - MOST_ROWS, 0) + max(host - MOST_ROWS, 0)
    more = re.search(r"\n\.\.\. and (\d+) more\.", page)
    check((int(more[1]) if more else 0) == left, f"markdown: {left} are left out")


class DiffReader(html.parser.HTMLParser):
    """Tables of changes: what their heads count, and their rows."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.heads, self.rows = collections.Counter(), collections.Counter()
        self.paragraphs = []
        self._kind, self._in = "", None

    def handle_starttag(self, tag, attrs):
        if tag == "h3":
            self._kind, self._in = "", "h3"
        elif tag == "p":
            self.paragraphs.append("")
            self._in = "p"
        elif tag in ("tbody", "thead"):
            self._in = tag
        elif tag == "tr" and self._in == "tbody":
            self.rows[self._kind.split()[0]] += 1
        elif tag == "script":
            raise Failure("html: a diff has a script")

    def handle_endtag(self, tag):
        if tag == "h3":
            kind, count = self._kind.split()
            self.heads[kind] = int(count)
        if tag == self._in:
            self._in = None

    def handle_data(self, data):
        if self._in == "h3":
            self._kind += data
        if self._in == "p":
            self.paragraphs[-1] += data


def page(text_of_page, want, host):
    reader = DiffReader()
    reader.feed(text_of_page)
    check(said_in(reader.paragraphs[0]) == want, f"html: {reader.paragraphs[0]}, expected {want}")
    check(reader.heads == reader.rows, f"html: heads {reader.heads}, rows {reader.rows}")
    check(reader.rows.pop("host-changed", 0) == host, "html: changes of the host")
    check(reader.rows == want[0], f"html: rows {reader.rows}, expected {want[0]}")


def compare(tool, old_path, new_path):
    old, new = (json.loads(rendered(tool, "json", path)) for path in (old_path, new_path))
    want = expected(old, new)
    found = json.loads(rendered(tool, "diff", "json", old_path, new_path))
    check({kind: count for kind, count in found["counts"].items() if count} == want[0],
          f"json: {found['counts']}, expected {want[0]}")
    check(collections.Counter(row["change"] for row in found["cells"]) == want[0], "json: cells")
    check(found["unchanged"] == want[1], f"json: {found['unchanged']} unchanged, not {want[1]}")
    if len(old["legs"]) == len(new["legs"]) == 1:
        hosts = [report["legs"][0]["header"]["host"] for report in (old, new)]
        differ = {key for key in hosts[0].keys() | hosts[1].keys()
                  if hosts[0].get(key) != hosts[1].get(key)}
        said = {row["what"] for row in found["host"]}
        check(differ <= said, f"json: the host differs in {sorted(differ - said)}")
    host = len(found["host"])
    text(rendered(tool, "diff", "text", old_path, new_path), want, host)
    markdown(rendered(tool, "diff", "markdown", old_path, new_path), want, host)
    page(rendered(tool, "diff", "html", old_path, new_path), want, host)
    return want[0]


def earlier(folder):
    """The golden run as it may have been: each kind of change but the flaky one."""
    lines = (HERE / "testdata" / "golden.ndjson").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    outcomes = {("poll", "sched.soon.fifo"): "pass", ("epoll", "life.run.pre_stopped"): "hang"}
    for row in rows:
        if "header" in row:
            row["header"]["host"]["kernel"] = "6.1.0"
        for scenario in row.get("catalogue", {}).get("scenarios", []):
            if scenario["id"] == "timer.never_early":
                scenario["level"] = "should"
        cell = row.get("cell", {})
        key = (cell.get("loop"), cell.get("scenario"))
        cell.update({"outcome": outcomes[key]} if key in outcomes else {})
        if key == ("libuv", "timer.never_early"):
            cell["outcome"] = "pass"
        if cell.get("variant"):
            cell["variant"] += "_else"
    path = folder / "earlier.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    golden, hostile = (HERE / "testdata" / f"{name}.ndjson" for name in ("golden", "hostile"))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        both, legs = folder / "both.ndjson", []
        for platform in ("linux-x86_64", "windows-x86_64"):
            legs.append(folder / f"{platform}.ndjson")
            made = subprocess.run([HERE / "testdata" / "make_journal.py", "leg", platform],
                                  check=True, stdout=subprocess.PIPE)
            legs[-1].write_bytes(made.stdout)
        both.write_text(rendered(argv[1], "merged", *legs), encoding="utf-8")
        seen = collections.Counter()
        pairs = [(golden, golden), (earlier(folder), golden), (golden, earlier(folder)),
                 (golden, hostile), (hostile, golden), (legs[0], both), (both, legs[1]),
                 (both, both)]
        for old_path, new_path in pairs:
            try:
                seen += compare(argv[1], old_path, new_path)
            except Failure as failure:
                print(f"FAILED: {old_path.name} to {new_path.name}: {failure}")
                return 1
    missing = set(KINDS) - {"flaky"} - seen.keys()
    if missing:
        print(f"FAILED: no pair has a change of the kind {', '.join(sorted(missing))}")
        return 1
    print(f"{len(pairs)} comparisons: every format counts what the reports hold: {dict(seen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
