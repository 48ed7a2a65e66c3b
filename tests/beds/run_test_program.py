#!/usr/bin/python3
"""Runs a whole GoogleTest program in a bed, and brings out what each of its tests came to.

usage: run_test_program.py x86_64|arm64 LABEL RESULTS.xml [--timeout SECONDS] [--time-scale N]
       [--memory MIB] [--cpus N] [--hugepages N] [--put FILE]... [--bed-option=OPTION]... PROGRAM

The first line of output tells scripts/test_summary.py where the results are. Files have the same
paths in the bed; a --bed-option is one of scripts/bed, such as --gic=2. The exit code is the
program's, or the bed's own when the bed failed; 1 when the program passed without having run a test.
"""

import argparse
import os
import pathlib
import sys
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from bed import command  # noqa: E402

RESULTS = "/results.xml"
NIGHTLY_TIMES = 8  # how much longer the long forms of the tests may take


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("architecture")
    parser.add_argument("label")
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--timeout", type=int, default=1800)
    parser.add_argument("--time-scale", default="1")
    parser.add_argument("--memory", default="2048")
    parser.add_argument("--cpus", default="1")
    parser.add_argument("--hugepages", default="64")  # enough for guests of 64 MiB
    parser.add_argument("--put", action="append", default=[])
    parser.add_argument("--bed-option", action="append", default=[])
    parser.add_argument("program")
    options = parser.parse_args()

    print(f"results: {options.label} {options.results}", flush=True)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.unlink(missing_ok=True)  # an earlier run's must not be taken for this one's
    is_nightly = "NESTLING_NIGHTLY" in os.environ
    timeout = options.timeout * (NIGHTLY_TIMES if is_nightly else 1)
    words = [options.architecture, "--timeout", str(timeout), "--memory", options.memory,
             "--cpus", options.cpus, "--hugepages", options.hugepages, "--at", options.program,
             "--env", f"NESTLING_TIME_SCALE={options.time_scale}",
             "--env", f"GTEST_OUTPUT=xml:{RESULTS}", "--get", f"{RESULTS}:{options.results}"]
    if is_nightly:
        words += ["--env", "NESTLING_NIGHTLY=1"]
    words += options.bed_option
    for file in options.put:
        words += ["--put", f"{file}:{file}"]
    status = command.main([*words, options.program])
    if status == 0:
        cases = list(xml.etree.ElementTree.parse(options.results).iter("testcase"))
        if not cases:
            print(f"{options.program}: no test ran")
            return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
