#!/usr/bin/env python3
"""Merging many runs needs no more memory for more of them.

  scale_test.py LOOPSCOPE          8 and 64 runs of 60 scenarios on 4 loops
  scale_test.py LOOPSCOPE full     500 runs of 450 scenarios on 12 loops (2.5 GB, twice): prints
                                   what it took, and holds it to 1 GiB of memory

The peak of memory is VmHWM, read while the process runs: ru_maxrss would begin with what this
script has.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
GIB = 1 << 30


def high_water(pid):
    """The most that the process has had, in bytes; 0 once it has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def merged(loopscope, folder, runs, scenarios, loops):
    """Bytes of the output, and the peak of memory in bytes."""
    inputs = folder / f"runs{runs}"
    subprocess.run([sys.executable, HERE / "testdata" / "make_fleet.py", inputs, str(runs),
                    str(scenarios), str(loops)], check=True)
    out = folder / f"merged{runs}.ndjson"
    begin = time.monotonic()
    child = subprocess.Popen([loopscope, "merge", *sorted(inputs.iterdir()), "-o", out])
    peak = 0
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid != 0:
            break
        peak = max(peak, high_water(child.pid))
        time.sleep(0.002)
    child.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - begin
    if child.returncode != 0:
        sys.exit(f"FAILED: merge ended with {child.returncode}")
    cells = runs * scenarios * loops
    size = out.stat().st_size / 1e6
    print(f"{runs} runs, {cells} cells: {size:.1f} MB in {took:.1f} s of clock, "
          f"{used.ru_utime + used.ru_stime:.1f} s of processors, peak {peak / (1 << 20):.1f} MiB",
          flush=True)
    return out.stat().st_size, peak


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if argv[2:] == ["full"]:
            _, peak = merged(argv[1], folder, 500, 450, 12)
            if peak > GIB:
                print(f"FAILED: {peak / GIB:.2f} GiB of memory")
            return int(peak > GIB)
        few, low = merged(argv[1], folder, 8, 60, 4)
        many, high = merged(argv[1], folder, 64, 60, 4)
    # A tenth of what the output grows: the places of legs and their names have to be kept.
    allowed = (many - few) / 10
    if high - low > allowed:
        print(f"FAILED: {high - low} bytes more memory for {many - few} bytes more output")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
