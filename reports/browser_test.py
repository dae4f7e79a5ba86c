#!/usr/bin/env python3
"""Opens a report in a real browser and uses it as a reader would.

  browser_test.py RENDER [JOURNAL]          the checks; RENDER is the tool loopscope_render
  browser_test.py --picture FILE.png WIDTH HEIGHT light|dark PAGE.html[#anchor]

The browser is found as $LOOPSCOPE_BROWSER, chromium, chromium-browser or google-chrome. Without
one the test fails, unless LOOPSCOPE_BROWSER=none asks to leave it out (exit code 77).
"""
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--remote-debugging-pipe"]


def find_browser():
    wanted = os.environ.get("LOOPSCOPE_BROWSER", "")
    if wanted == "none":
        return None
    for name in filter(None, [wanted, "chromium", "chromium-browser", "google-chrome"]):
        path = shutil.which(name)
        if path:
            return path
    sys.exit("browser_test: no browser; install chromium or set LOOPSCOPE_BROWSER=none")


class Browser:
    """A headless browser behind its debugging pipe: JSON messages that end with a zero byte."""

    def __init__(self, path):
        self.profile = tempfile.TemporaryDirectory(prefix="loopscope-browser-",
                                                   ignore_cleanup_errors=True)
        read_end, self.to_browser = os.pipe()
        self.from_browser, write_end = os.pipe()

        def at_3_and_4():
            # The pipes must not sit on 3 and 4 while they are moved there.
            a, b = os.dup2(read_end, 100), os.dup2(write_end, 101)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
            preexec_fn=at_3_and_4, close_fds=False, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_end)
        os.close(write_end)
        self.buffer, self.next_id, self.events = b"", 1, []
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(domain + ".enable")

    def receive(self):
        while b"\0" not in self.buffer:
            block = os.read(self.from_browser, 1 << 20)
            if not block:
                raise RuntimeError("the browser went away")
            self.buffer += block
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, params=None, session=None):
        ident, self.next_id = self.next_id, self.next_id + 1
        message = {"id": ident, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == ident:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer.get("result", {})
            self.events.append(answer)

    def send(self, method, **params):
        return self.call(method, params, self.session)

    def evaluate(self, script):
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, script, what, seconds=20):
        """Waits for a condition in the page; a deadline, not a fixed sleep."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(script):
            if time.monotonic() > deadline:
                raise RuntimeError("never came true: " + what)
            time.sleep(0.02)

    def show(self, url, width, height, scheme="light", scripts=True):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'", url)

    def picture(self, path):
        data = self.send("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.events
                if e.get("method") == "Network.requestWillBeSent"]

    def complaints(self):
        """Uncaught exceptions, and what the page's own policy refused."""
        found = [json.dumps(e["params"]) for e in self.events
                 if e.get("method") == "Runtime.exceptionThrown"]
        return found + [e["params"]["entry"]["text"] for e in self.events
                        if e.get("method") == "Log.entryAdded"
                        and e["params"]["entry"]["level"] == "error"]

    def close(self):
        try:
            self.call("Browser.close")
        except (RuntimeError, OSError):
            pass
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.to_browser)
        os.close(self.from_browser)
        self.profile.cleanup()


ROWS = "[...document.querySelectorAll('.matrix:not(.api) tr[data-scenario]')]"
SHOWN = ROWS + ".filter(tr => tr.offsetParent !== null)"


class Checks:
    def __init__(self, browser, url, report):
        self.browser, self.url, self.report, self.failed = browser, url, report, []

    def check(self, what, seen, want=True):
        if seen != want:
            self.failed.append(f"{what}: wanted {want!r}, saw {seen!r}")

    def eval(self, script):
        return self.browser.evaluate(script)

    def press(self, selector):
        self.eval(f"document.querySelector({json.dumps(selector)}).click()")

    def widths(self):
        for width in (1280, 390):
            for scheme in ("light", "dark"):
                self.browser.show(self.url, width, 900, scheme)
                wide = self.eval("document.documentElement.scrollWidth")
                self.check(f"no horizontal scrolling at {width} px, {scheme}", wide <= width)
                # Whatever sticks out must do so inside a container of its own that scrolls.
                out = self.eval("""[...document.querySelectorAll('main *')].filter(e => {
                    if (e.closest('.scroll, pre') || !e.offsetParent) return false;
                    return e.getBoundingClientRect().right > WIDTH + 1;
                  }).map(e => e.outerHTML.slice(0, 120)).slice(0, 3)
                """.replace("WIDTH", str(width)))
                self.check(f"nothing sticks out at {width} px, {scheme}", out, [])

    def filters(self):
        self.browser.show(self.url, 1280, 900)
        scenarios = {c["scenario"] for c in self.report["cells"]}
        self.check("every scenario has a row", self.eval(ROWS + ".length"), len(scenarios))
        self.check("all rows are shown", self.eval(SHOWN + ".length"), len(scenarios))
        word = sorted(scenarios)[0].split(".")[0]
        self.eval(f"""(() => {{ const q = document.querySelector('#q'); q.focus();
          q.value = {json.dumps(word)};
          q.dispatchEvent(new Event('input', {{bubbles: true}})); }})()""")
        ids = self.eval(SHOWN + ".map(tr => tr.textContent.toLowerCase())")
        self.check("the text filter hides rows", 0 < len(ids) < len(scenarios))
        self.check("the text is in the hash", f"q={word}" in self.eval("location.hash"))
        self.browser.show(self.url + self.eval("location.hash"), 1280, 900)
        self.check("the hash brings the filter back", self.eval(SHOWN + ".length"), len(ids))
        self.press("#filters [type=reset]")
        self.check("reset shows all rows", self.eval(SHOWN + ".length"), len(scenarios))
        self.outcome_filter()
        self.differences()
        self.loop_filter()
        self.attention()

    def attention(self):
        want = {c["scenario"] for c in self.report["cells"] if c["attention"]}
        self.press("#look")
        seen = set(self.eval(SHOWN + ".map(tr => tr.dataset.scenario)"))
        self.check("only what needs attention", seen, want)
        self.press("#look")

    def outcome_filter(self):
        for outcome in ("fail", "skip"):
            want = {c["scenario"] for c in self.report["cells"] if c["outcome"] == outcome}
            if not want:
                continue
            self.press(f"[data-filter-outcome={outcome}]")
            seen = set(self.eval(SHOWN + ".map(tr => tr.dataset.scenario)"))
            self.check(f"the filter for {outcome} shows its rows", seen, want)
            self.press(f"[data-filter-outcome={outcome}]")

    def differences(self):
        ran = {}
        for cell in self.report["cells"]:
            if cell["outcome"] in ("pass", "diverges", "fail", "leak", "hang", "crash"):
                ran.setdefault(cell["scenario"], set()).add(cell["outcome"])
        want = {scenario for scenario, outcomes in ran.items() if len(outcomes) > 1}
        self.press("#diff")
        seen = set(self.eval(SHOWN + ".map(tr => tr.dataset.scenario)"))
        self.check("only differences", seen, want)
        self.press("#diff")

    def loop_filter(self):
        loop = self.report["cells"][0]["loop"]
        head = f".matrix:not(.api) thead th[data-loop={json.dumps(loop)}]"
        shown = f"document.querySelector({json.dumps(head)}).offsetParent !== null"
        self.check("the column is there", self.eval(shown))
        self.press(f"[data-filter-loop={json.dumps(loop)}]")
        self.check("the column is hidden", self.eval(shown), False)
        self.press(f"[data-filter-loop={json.dumps(loop)}]")

    def links(self):
        self.browser.show(self.url, 1280, 900)
        dead = self.eval("""[...document.querySelectorAll('a[href^="#"]')]
          .map(a => decodeURIComponent(a.getAttribute('href').slice(1)))
          .filter(id => !document.getElementById(id)).slice(0, 5)""")
        self.check("every link inside the page has a target", dead, [])
        twice = self.eval("""(() => { const seen = new Set();
          return [...document.querySelectorAll('[id]')].map(e => e.id)
            .filter(id => seen.size === seen.add(id).size).slice(0, 5); })()""")
        self.check("no id is used twice", twice, [])
        self.press(".matrix:not(.api) td a.k")
        self.check("a cell's link opens its evidence", self.eval(
            "document.querySelector('.at')?.checkVisibility({checkOpacity: true}) ?? false"))
        self.check("and gives it the focus", self.eval("document.activeElement.id !== ''"))

    def keyboard(self):
        self.browser.show(self.url, 1280, 900)
        for key in ("rawKeyDown", "keyUp"):
            self.browser.send("Input.dispatchKeyEvent", type=key, key="Tab", code="Tab",
                              windowsVirtualKeyCode=9)
        self.check("the first stop is the skip link",
                   self.eval("document.activeElement.className"), "jump")
        self.check("and it becomes visible",
                   self.eval("document.activeElement.getBoundingClientRect().left >= 0"))

    def without_scripts(self):
        self.browser.show(self.url, 1280, 900, scripts=False)
        self.browser.send("Emulation.setScriptExecutionDisabled", value=False)
        scenarios = {c["scenario"] for c in self.report["cells"]}
        rows = self.eval(SHOWN + ".length")
        self.check("without scripts the rows are there", rows, len(scenarios))
        hidden = "document.querySelector('#filters').hidden"
        self.check("and the filters are not", self.eval(hidden))

    def run(self):
        self.widths()
        self.filters()
        self.links()
        self.keyboard()
        self.without_scripts()
        outside = [u for u in self.browser.requests()
                   if not u.startswith(("file:", "about:", "data:"))]
        self.check("no request leaves the machine", outside, [])
        self.check("the browser complains about nothing", self.browser.complaints(), [])
        return self.failed


def render(tool, form, journal):
    done = subprocess.run([tool, form, journal], check=True, stdout=subprocess.PIPE)
    return done.stdout


def picture(argv):
    path, width, height, scheme, page = argv
    file, _, anchor = page.partition("#")
    browser = Browser(find_browser())
    try:
        url = pathlib.Path(file).resolve().as_uri()
        browser.show(url + ("#" + anchor if anchor else ""), int(width), int(height), scheme)
        browser.picture(path)
    finally:
        browser.close()


def main(argv):
    if argv[1:2] == ["--picture"] and len(argv) == 7:
        picture(argv[2:])
        return 0
    if len(argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 64
    path = find_browser()
    if path is None:
        print("left out: LOOPSCOPE_BROWSER is none")
        return 77
    with tempfile.TemporaryDirectory(prefix="loopscope-report-") as folder:
        folder, failed = pathlib.Path(folder), []
        make = [sys.executable, HERE / "testdata" / "make_journal.py", "big"]
        big = folder / "big.ndjson"
        big.write_bytes(subprocess.run(make, check=True, stdout=subprocess.PIPE).stdout)
        stored = [HERE / "testdata" / "golden.ndjson", HERE / "testdata" / "hostile.ndjson"]
        journals = [argv[2]] if len(argv) == 3 else [big, *stored]
        for journal in map(pathlib.Path, journals):
            page = folder / (journal.stem + ".html")
            page.write_bytes(render(argv[1], "html", journal))
            report = json.loads(render(argv[1], "json", journal))
            browser = Browser(path)
            try:
                failed += [f"{journal.name}: {line}"
                           for line in Checks(browser, page.as_uri(), report).run()]
            finally:
                browser.close()
    print("\n".join(failed) or "the report works in the browser")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
