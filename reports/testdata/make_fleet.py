#!/usr/bin/env python3
"""Writes the journals of a fleet of machines, to merge.

  make_fleet.py FOLDER RUNS [SCENARIOS [LOOPS]]     450 scenarios on 12 loops unless said otherwise

Every cell ran and left the evidence of make_journal.py. Each run is of a machine of its own, with
its own run id, start and processor name; the rest is the same in all, which a merge does not know.
"""
import json
import pathlib
import random
import sys

import make_journal


def fleet_lines(scenarios, loops):
    """The lines of one journal; RUN, START and ARCH stand where the runs differ."""
    base = [row for row in make_journal.loops() if not row["absent_because"]]
    columns = [dict(base[i % len(base)], name=f"{base[i % len(base)]['name']}_{i}")
               for i in range(loops)]
    for column in columns:
        make_journal.PROOF[column["name"]] = make_journal.PROOF[column["name"].split("_")[0]]
    known = make_journal.scenarios()
    rows = [dict(known[i % len(known)], id=f"{known[i % len(known)]['id']}.{i}", facts=[])
            for i in range(scenarios)]
    for row in rows:
        row["needs"] = []
    chance = random.Random(11)
    plan = [make_journal.plan_row(column, row) for row in rows for column in columns]
    head = make_journal.header(1)
    head["header"].update(run_id="RUN", started_utc="START")
    head["header"]["host"]["arch"] = "ARCH"
    yield head
    yield {"catalogue": {"loops": columns, "scenarios": rows,
                         "capabilities": make_journal.capabilities(),
                         "api": make_journal.api_index()}}
    yield from make_journal.facts()
    yield {"plan": {"cells": plan}}
    by_name = {column["name"]: column for column in columns}
    by_id = {row["id"]: row for row in rows}
    cells = []
    for planned in plan:
        cells.append(make_journal.passed(by_name[planned["loop"]], by_id[planned["scenario"]],
                                         chance))
        yield {"cell": cells[-1]}
    yield make_journal.footer(cells, plan, "green", 0)


def main(argv):
    if not 3 <= len(argv) <= 5:
        print(__doc__, file=sys.stderr)
        return 64
    folder, runs = pathlib.Path(argv[1]), int(argv[2])
    scenarios, loops = (int(argv[i]) if len(argv) > i else number for i, number in
                        ((3, 450), (4, 12)))
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
                   for line in fleet_lines(scenarios, loops))
    for run in range(runs):
        head, rest = text.split("\n", 1)
        head = head.replace("RUN", f"{run:016x}").replace("ARCH", f"machine{run:04}")
        head = head.replace("START", f"2026-11-{1 + run % 28:02}T11:00:00Z")
        (folder / f"run{run:04}.ndjson").write_text(head + "\n" + rest, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
