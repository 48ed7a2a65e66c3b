#!/usr/bin/env python3
"""Adds up what ctest wrote with --output-junit, and says it for a person.

usage: test_summary.py NAME=RESULTS.xml...

Prints a line a suite, what failed with its output, and what was skipped with the reason; last the
plain line `N passed, N failed, N skipped`. The exit code is 1 when anything failed or nothing ran.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

OUTPUT_LINES = 60


def skip_reason(output, message):
    """What GoogleTest printed after "Skipped", or a lint test after "Skipped: "."""
    found = re.search(r"^(?:.*: )?Skipped(?:: |\n)(.*?)\n(?:\n|\[  SKIPPED|\Z)", output + "\n",
                      re.MULTILINE | re.DOTALL)
    if found and found.group(1).strip():
        return " ".join(found.group(1).split())
    return "no reason given" if message in ("", "SKIP_REGULAR_EXPRESSION_MATCHED") else message


def verdicts(results):
    """By test name, what ctest's own log says of tests that failed: timeout, signal and so on."""
    log = pathlib.Path(re.sub(r"results-(.*)\.xml$", r"ctest-\1.log", str(results)))
    text = log.read_text(errors="replace") if log.exists() else ""
    return dict(re.findall(r"Test +#\d+: (\S+) \.*(\*\*\*.*? sec)$", text, re.MULTILINE))


class Summary:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lines = []
        self.failures = []
        self.skips = collections.OrderedDict()

    def add_case(self, suite, case, verdict):
        name = f"{suite}: {case.get('name').partition('  # GetParam')[0]}"
        output = case.findtext("system-out") or ""
        failure = case.find("failure")
        status = case.get("status")
        if failure is not None or status == "fail":
            self.failed += 1
            self.failures.append((name, verdict, output))
        elif case.find("skipped") is not None or status in ("notrun", "disabled"):
            skipped = case.find("skipped")
            message = skipped.get("message", "") if skipped is not None else status
            if "Unable to find executable" in message or "Not Run" in message:
                self.failed += 1
                self.failures.append((name, message, output))
                return
            self.skipped += 1
            self.skips.setdefault(skip_reason(output, message), []).append(name)
        else:
            self.passed += 1

    def add_suite(self, suite, path):
        before = (self.passed, self.failed, self.skipped)
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            self.failed += 1
            self.failures.append((suite, f"no results: {error}", ""))
            return
        seconds = 0.0
        ends = verdicts(path)
        for case in root.iter("testcase"):
            self.add_case(suite, case, ends.get(case.get("name"), ""))
            seconds += float(case.get("time") or 0)
        counts = [now - then for now, then in
                  zip((self.passed, self.failed, self.skipped), before)]
        self.lines.append("%-14s %5d passed %4d failed %4d skipped %7.1f s" %
                          (suite, *counts, seconds))

    def print(self):
        for name, reason, output in self.failures:
            print(f"\nFAILED {name} {reason}")
            for line in output.splitlines()[-OUTPUT_LINES:]:
                print("    " + line)
        for reason, names in self.skips.items():
            print(f"\nskipped: {reason}")
            for name in names:
                print("    " + name)
        print()
        for line in self.lines:
            print(line)
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0


def main():
    summary = Summary()
    for argument in sys.argv[1:]:
        suite, _, path = argument.partition("=")
        summary.add_suite(suite, path)
    return summary.print()


if __name__ == "__main__":
    sys.exit(main())
