#!/usr/bin/env python3
"""Gives what `loopscope probe` writes for programs to programs that know nothing of loopscope.

  probe/formats_test.py LOOPSCOPE C_COMPILER CMAKE      a C compiler, cmake, sh, prove

The reference is the JSON of the same machine: each yes is HAVE, each no is NO, each value is
VALUE, and what is null is none of them. Values differ from probe to probe, so only answers of yes
and no are compared by what they say.
"""
import html.parser
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

found = []


def check(condition, what):
    if not condition:
        found.append(what)


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    return done.returncode, done.stdout


class Probe:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        document = json.loads(self.write("json").read_text())
        self.identity = document["identity"]
        self.facts = document["facts"]

    def write(self, name):
        path = self.folder / f"facts.{name}"
        # A generous deadline: a loaded machine is slow, and this test judges the formats.
        subprocess.run([self.program, "probe", "--deadline-ms", "20000", "--format", name, "-o",
                        str(path)], check=True)
        return path

    def expected(self):
        """Names that have to be set, and those that must not be."""
        names, others = set(), set()
        for fact in self.facts:
            name = re.sub("[^A-Z0-9]", "_", fact["id"].upper())
            kinds = {f"LOOPSCOPE_{kind}_{name}" for kind in ("HAVE", "NO", "VALUE")}
            value = fact["value"]
            want = set()
            if value is not None:
                kind = {True: "HAVE", False: "NO"}[value] if isinstance(value, bool) else "VALUE"
                want = {f"LOOPSCOPE_{kind}_{name}"}
            names |= want
            others |= kinds - want
        return names, others


def hold(probe, where, seen, identity):
    names, others = probe.expected()
    check(identity == probe.identity, f"{where}: identity {identity}, in JSON {probe.identity}")
    # A fact that was slow in one of the two probes is null there.
    check(len(names - seen) <= 2, f"{where} lacks {sorted(names - seen)[:5]}")
    check(len(others & seen) <= 2, f"{where} has also {sorted(others & seen)[:5]}")
    check(len(seen) > 100, f"{where} has only {len(seen)} names")


def warned(text):
    return "no other" in text and "ask there" in text and "identity" in text


def c_header(probe, compiler):
    path = probe.write("c-header")
    check(warned(path.read_text()), "the header does not warn of other machines")
    source = probe.folder / "use.c"
    source.write_text('#include "facts.c-header"\n#include "facts.c-header"\n#include <stdio.h>\n'
                      'int main(void) { puts(LOOPSCOPE_IDENTITY); return 0; }\n')
    program = str(probe.folder / "use")
    for standard in ("-std=c99", "-std=c17"):
        code, text = run([compiler, standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-o",
                          program, str(source)])
        check(code == 0, f"{standard} refuses the header: {text[:300]}")
    identity = run([program])[1].strip()
    code, macros = run([compiler, "-dM", "-E", "-x", "c", str(path)])
    seen = set(re.findall(r"^#define (LOOPSCOPE_(?:HAVE|NO|VALUE)_\w+)", macros, re.M))
    hold(probe, "the header", seen, identity)
    # Every value is one expression.
    values = sorted(name for name in seen if "_VALUE_" in name)
    source.write_text('#include "facts.c-header"\n' + "".join(
        f"__typeof__({name}) v{i};\n" for i, name in enumerate(values)))
    code, text = run([compiler, "-c", "-o", "/dev/null", str(source)])
    check(code == 0, f"a value is no expression: {text[:300]}")


def cmake(probe, program):
    path = probe.write("cmake")
    check(warned(path.read_text()), "the cache file does not warn of other machines")
    (probe.folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(use LANGUAGES NONE)\n"
        "message(STATUS \"identity=${LOOPSCOPE_IDENTITY}\")\n")
    build = probe.folder / "build"
    code, text = run([program, "-C", str(path), "-S", str(probe.folder), "-B", str(build)])
    check(code == 0, f"cmake -C refuses the file: {text[-300:]}")
    cache = (build / "CMakeCache.txt").read_text() if code == 0 else ""
    seen = set(re.findall(r"^(LOOPSCOPE_(?:HAVE|NO|VALUE)_\w+):", cache, re.M))
    hold(probe, "cmake", seen, "".join(re.findall(r"identity=(\w+)", text)))


def env(probe):
    path = probe.write("env")
    check(warned(path.read_text()), "the assignments do not warn of other machines")
    code, text = run(["sh", "-eu", "-c", f". {path}; set; echo \"identity=$LOOPSCOPE_IDENTITY\""],
                     env={})
    check(code == 0, f"sh refuses the file: {text[:300]}")
    seen = set(re.findall(r"^(LOOPSCOPE_(?:HAVE|NO|VALUE)_\w+)=", text, re.M))
    hold(probe, "sh", seen, "".join(re.findall(r"^identity=(\w+)", text, re.M)))


def tap(probe):
    path = probe.write("tap")
    text = path.read_text(encoding="ascii")
    check(warned(text), "TAP does not warn of other machines")
    check(text.endswith("# end of the facts\n"), "TAP has no mark at its end")
    check(max(map(len, text.splitlines())) < 500, "TAP has a line that a console may cut")
    missing = {fact["id"] for fact in probe.facts} - set(re.findall(r"ok \d+ - (\S+)", text))
    check(not missing, f"TAP lacks {sorted(missing)[:5]}")
    if shutil.which("prove"):
        code, said = run(["prove", "-e", "cat", str(path)])
        check(f"Tests={len(probe.facts)}" in said, f"prove does not count the facts: {said[-300:]}")
        died = len(re.findall("^not ok", text, re.M))
        check((code == 0) == (died == 0), f"prove: {code}, {died} died: {said[-300:]}")
    else:
        found.append("prove (perl) is missing")


class Page(html.parser.HTMLParser):
    """Counts what is opened and closed, and what would be fetched."""
    VOID = {"meta", "link", "br", "img", "input", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get("id"))
        if tag in ("script", "img", "link") and not values.get("href", "data:").startswith("data:"):
            self.fetched.append(values)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            found.append(f"the page closes {tag} at {self.getpos()}")


def page(probe):
    text = probe.write("html").read_text()
    parser = Page()
    parser.feed(text)
    check(not parser.open and not parser.fetched, f"{parser.open[:5]} {parser.fetched[:5]}")
    check(warned(text), "the page does not warn of other machines")
    missing = [fact["id"] for fact in probe.facts if fact["id"] not in text]
    check(not missing, f"the page lacks {missing[:5]}")


def main(argv):
    if len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    with tempfile.TemporaryDirectory() as name:
        probe = Probe(str(pathlib.Path(argv[1]).resolve()), pathlib.Path(name))
        c_header(probe, argv[2])
        cmake(probe, argv[3])
        env(probe)
        tap(probe)
        page(probe)
        print("\n".join(found) or f"{len(probe.facts)} facts, in six documents of machine "
              f"{probe.identity}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
