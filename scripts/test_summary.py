#!/usr/bin/env python3
"""Adds up what ctest wrote with --output-junit, and says it for a person.

usage: test_summary.py [--guest-kernels TABLE.md] NAME=RESULTS.xml...

Prints for each KVM test where it ran and where not and why, a line a suite, what failed with its
output, and what was skipped with the reason; last the plain line `N passed, N failed, N skipped`. The
exit code is 1 when anything failed, when nothing ran, or when a KVM test ran nowhere, unless the test
itself says that it may (tests/support/rare_host.h): those are listed.
A test program that ran as a whole in a bed (tests/beds/run_test_program.py) counts as its tests.
--guest-kernels also writes a table of the guest kernels and the places they ran in.
"""

import argparse
import collections
import dataclasses
import pathlib
import re
import sys
import xml.etree.ElementTree

OUTPUT_LINES = 60
HOST = "this host"
X86_BED = "x86_64 bed"
ARM_BED = "arm64 bed"
PLACES = (HOST, X86_BED, ARM_BED)


@dataclasses.dataclass
class Result:
    """What one test came to in one place."""

    state: str  # passed, failed, skipped
    detail: str = ""  # the output of a failure, the reason of a skip
    excuse: str = ""  # why a skipped test may be skipped everywhere


def one_line(text):
    """Without line breaks and without GoogleTest's traces."""
    return " ".join(text.partition("Google Test trace:")[0].split())


def skip_reason(output, message):
    """What GoogleTest printed after "Skipped", or a lint test after "Skipped: "."""
    found = re.search(r"^(?:.*: )?Skipped(?:: |\n)(.*?)\n(?:\n|\[  SKIPPED|\Z)", output + "\n",
                      re.MULTILINE | re.DOTALL)
    if found and found.group(1).strip():
        return one_line(found.group(1))
    return "no reason given" if message in ("", "SKIP_REGULAR_EXPRESSION_MATCHED") else message


def verdicts(results):
    """By test name, what ctest's own log says of tests that failed: timeout, signal and so on."""
    log = pathlib.Path(re.sub(r"results-(.*)\.xml$", r"ctest-\1.log", str(results)))
    text = log.read_text(errors="replace") if log.exists() else ""
    return dict(re.findall(r"Test +#\d+: (\S+) \.*(\*\*\*.*? sec)$", text, re.MULTILINE))


def bed_cases(path, program):
    """Name, Result and the guest kernels used, for each test in the XML that GoogleTest wrote."""
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.get("status") != "run":
            continue  # disabled
        name = f"{program}.{case.get('classname')}.{case.get('name')}"
        properties = {each.get("name"): each.get("value") for each in case.iter("property")}
        kernels = [each.removeprefix("kernel.") for each in properties
                   if each.startswith("kernel.") and "boots" in properties]
        failures = [each.text or each.get("message") for each in case.findall("failure")]
        skipped = case.find("skipped")
        if failures:
            yield name, Result("failed", "\n".join(failures)), kernels
        elif skipped is not None:
            # Its text is the place in the source, then the message.
            message = (skipped.text or skipped.get("message")).partition("\n")[2]
            yield name, Result("skipped", one_line(message) or "no reason given",
                               properties.get("may_run_nowhere", "")), kernels
        else:
            yield name, Result("passed"), kernels


class Summary:
    def __init__(self):
        self.counts = collections.Counter()
        self.lines = []
        self.failures = []
        self.skips = collections.OrderedDict()
        self.host_results = {}
        self.kvm_results = {}  # by name of the test, by place
        self.kvm_programs = set()
        self.excused = {}  # by excuse, the KVM tests that ran nowhere
        self.kernel_tests = collections.defaultdict(set)  # by kernel, the tests that use it

    def add(self, suite, name, result):
        self.counts[result.state] += 1
        if result.state == "failed":
            self.failures.append((f"{suite}: {name}", "", result.detail))
        elif result.state == "skipped":
            self.skips.setdefault(result.detail, []).append((suite, name))

    def add_case(self, suite, case, verdict):
        name = case.get("name").partition("  # GetParam")[0]
        output = case.findtext("system-out") or ""
        skipped = case.find("skipped")
        message = skipped.get("message", "") if skipped is not None else case.get("status")
        bed = re.fullmatch(r"bed\.(x86_64|arm64)\.(\w+)", name)
        results = re.search(r"^results: (\S+) (.+)$", output, re.MULTILINE)
        failed = case.find("failure") is not None or case.get("status") == "fail"
        if bed and results:
            self.add_bed(f"{bed[1]} bed", bed[2], results[1], results[2], failed, verdict, output)
        elif failed or "Unable to find executable" in message or "Not Run" in message:
            self.counts["failed"] += 1
            self.failures.append((f"{suite}: {name}", verdict or message, output))
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            self.add(suite, name, Result("skipped", skip_reason(output, message)))
        else:
            self.add(suite, name, Result("passed"))
        if suite == "release":
            self.host_results[name] = (Result("failed") if failed else
                                       Result("skipped", skip_reason(output, message))
                                       if skipped is not None else Result("passed"))

    def add_bed(self, place, program, label, path, failed, verdict, output):
        """A test program that ran as a whole."""
        is_kvm = label.startswith("kvm")
        if is_kvm:
            self.kvm_programs.add(program)
        failures_before = self.counts["failed"]
        try:
            for name, result, kernels in bed_cases(path, program):
                self.add(place, name, result)
                if is_kvm:
                    self.kvm_results.setdefault(name, {})[place] = result
                for kernel in kernels:
                    self.kernel_tests[kernel].add(name)
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            failed, verdict = True, f"{verdict} (no results: {error})"
        if failed and self.counts["failed"] == failures_before:
            self.counts["failed"] += 1
            self.failures.append((f"{place}: {program}", verdict, output))

    def add_suite(self, suite, path):
        before = self.counts.copy()
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            self.counts["failed"] += 1
            self.failures.append((suite, f"no results: {error}", ""))
            return
        seconds = 0.0
        ends = verdicts(path)
        for case in root.iter("testcase"):
            self.add_case(suite, case, ends.get(case.get("name"), ""))
            seconds += float(case.get("time") or 0)
        counts = [self.counts[state] - before[state] for state in ("passed", "failed", "skipped")]
        self.lines.append("%-14s %5d passed %4d failed %4d skipped %7.1f s" %
                          (suite, *counts, seconds))

    def finish(self):
        """Once every suite is added: joins the host's KVM tests to the beds', and judges them."""
        for name, result in self.host_results.items():
            if name.partition(".")[0] in self.kvm_programs:
                self.kvm_results.setdefault(name, {})[HOST] = result
        for name, places in self.kvm_results.items():
            if any(result.state != "skipped" for result in places.values()):
                continue
            excuse = next((result.excuse for result in places.values() if result.excuse), None)
            if excuse:
                self.excused.setdefault(excuse, []).append(name)
            else:
                self.counts["failed"] += 1
                reasons = "\n".join(f"{place}: {result.detail}" for place, result in places.items())
                self.failures.append((name, "ran nowhere", reasons))

    def print_kvm(self):
        reasons = []

        def cell(result):
            if result is None:
                return "not built"
            if result.state != "skipped":
                return result.state
            if result.detail not in reasons:
                reasons.append(result.detail)
            return f"skipped ({reasons.index(result.detail) + 1})"

        if not self.kvm_results:
            return
        width = max(map(len, self.kvm_results))
        print("%-*s  %-13s %-13s %s" % (width, "KVM tests, and where they ran", *PLACES))
        for name, places in sorted(self.kvm_results.items()):
            print("%-*s  %-13s %-13s %s" % (width, name, *map(cell, map(places.get, PLACES))))
        if any(place not in places for places in self.kvm_results.values() for place in PLACES):
            print("not built: the test is of another architecture's KVM, guests or hardware")
        for number, reason in enumerate(reasons, 1):
            print(f"({number}) {reason}")

    def print(self):
        self.print_kvm()
        for name, reason, output in self.failures:
            print(f"\nFAILED {name} {reason}")
            for line in output.splitlines()[-OUTPUT_LINES:]:
                print("    " + line)
        for excuse, names in self.excused.items():
            print(f"\nran nowhere: {excuse}")
            for name in names:
                print("    " + name)
        for reason, names in self.skips.items():
            listed = [f"{suite}: {name}" for suite, name in names if name not in self.kvm_results]
            in_table = len(names) - len(listed)
            print(f"\nskipped: {reason}" + (f" ({in_table} in the table of KVM tests)"
                                            if in_table else ""))
            for name in listed:
                print("    " + name)
        print()
        for line in self.lines:
            print(line)
        print("{passed} passed, {failed} failed, {skipped} skipped".format(
            **{state: self.counts[state] for state in ("passed", "failed", "skipped")}))
        return 1 if self.counts["failed"] or not self.counts["passed"] else 0


def kernel_cell(results):
    """What the tests that use a kernel came to in one place."""
    states = {result.state for result in results}
    if "failed" in states:
        return "FAIL"
    passed = sum(result.state == "passed" for result in results)
    reasons = sorted({result.detail for result in results if result.state == "skipped"})
    if passed:
        return "pass"
    return "skip: " + "; ".join(reasons) if reasons else "NOT TESTED"


def built_kernels(build):
    try:
        return set((build / "guest-kernels.txt").read_text().split())
    except OSError:
        return set()


def kernel_table(summary, build):
    """The table, in Markdown."""
    x86, arm = built_kernels(build / "release"), built_kernels(build / "aarch64")
    rows = []
    for kernel in sorted(x86 | arm | set(summary.kernel_tests)):
        cells = []
        for place in PLACES:
            names = summary.kernel_tests[kernel]
            results = [summary.kvm_results[name][place] for name in names
                       if place in summary.kvm_results.get(name, {})]
            if place != ARM_BED and kernel not in x86:
                cells.append("skip: exists for arm64 only")
            elif place == ARM_BED and kernel not in arm:
                cells.append("skip: exists for x86_64 only")
            else:
                cells.append(kernel_cell(results))
        rows.append(f"| {kernel} | {' | '.join(cells)} |")
    return f"""\
# Guest kernels, and where they run

Written by `scripts/test --docs` from the results of its tests; each kernel is booted by the real program,
most in several tests. The places: the KVM of the machine that ran the tests, and the two
[beds](beds.md), emulated machines with SVM and nested paging (x86_64) and with EL2 and a vGICv3 (arm64).
A kernel passes in a place when every test that boots it there passed.

| kernel | this host's KVM | x86_64 bed | arm64 bed |
|---|---|---|---|
""" + "\n".join(rows) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--guest-kernels", type=pathlib.Path)
    parser.add_argument("suites", nargs="+")
    options = parser.parse_args()
    summary = Summary()
    for argument in options.suites:
        suite, _, path = argument.partition("=")
        summary.add_suite(suite, path)
    summary.finish()
    if options.guest_kernels:
        options.guest_kernels.write_text(kernel_table(summary, pathlib.Path("build")))
    return summary.print()


if __name__ == "__main__":
    sys.exit(main())
