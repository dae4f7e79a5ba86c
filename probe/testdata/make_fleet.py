#!/usr/bin/env python3
"""Makes a folder of reports from one: machines that differ, some reported twice, some layered.

  probe/testdata/make_fleet.py PROBE.json FOLDER REPORTS

Every third report is one more of a machine that was there before. epoll.exclusive is a no on
kernels before 4.5 and unknown on 4.20; no machine has a kernel between 5.4 and 5.15. What is random
comes from a fixed seed.
"""
import json
import pathlib
import random
import sys

KERNELS = ["3.19", "4.0", "4.4", "4.5", "4.20", "5.0", "5.4", "5.15", "5.19", "6.0", "6.1"]


def main(argv):
    if len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    source = json.loads(pathlib.Path(argv[1]).read_text())
    folder = pathlib.Path(argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(5)
    source["host"].update(kernel="@kernel", container="@container", layers="@layers")
    for fact in source["facts"]:
        if fact["id"] == "epoll.exclusive":
            fact.update(value="@exclusive", reason="@reason")
        if fact["id"] == "pipe.capacity":
            fact.update(value="@capacity")
    template = json.dumps(source, indent=1)
    for number in range(int(argv[3])):
        machine = number - 1 if number % 3 == 2 else number
        kernel = KERNELS[machine % len(KERNELS)]
        version = tuple(map(int, kernel.split(".")))
        layered = machine % 10 == 9
        exclusive = None if version == (4, 20) else version >= (4, 5)
        text = template
        for name, value in (
                ("kernel", f"{kernel}.0-{machine // len(KERNELS)}-test"),
                ("container", "podman" if layered else "none"),
                ("layers", ["container: podman"] if layered else []),
                ("exclusive", exclusive),
                ("reason", {None: "timeout", False: "invalid", True: "none"}[exclusive]),
                ("capacity", 4096 << dice.randrange(5))):
            text = text.replace(f'"@{name}"', json.dumps(value))
        (folder / f"report-{number:05}.json").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
