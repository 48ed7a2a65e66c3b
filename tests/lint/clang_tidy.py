#!/usr/bin/env python3
"""Runs clang-tidy over every C++ source of the tree, again only where something it saw has changed.

usage: clang_tidy.py ROOT BUILD

What a file's last clean run depended on (the source, the headers it included, .clang-tidy, the
compiler's flags, clang-tidy itself) is kept as a hash under BUILD/clang-tidy; a file whose hash is
the same is not run again. Findings are printed; the exit code is 1 when there are any. With
NESTLING_NIGHTLY in the environment the slow static analyzer runs, too.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

# For sources that the build tree at hand does not compile, such as the fuzzers.
DEFAULT_FLAGS = ["-std=c++20", "-Wall", "-Wextra"]


@functools.lru_cache(maxsize=None)
def file_hash(path):
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return "missing"


def sources(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "*.cpp"],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in listed if (root / path).exists()]


def compile_flags(build):
    """Flags by absolute path: the compile command without compiler, source and output."""
    flags = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        start = next(i for i, word in enumerate(words) if word.startswith("-"))
        kept, skip = [], False
        for word in words[start:]:
            if skip:
                skip = False
            elif word in ("-o", "-c"):
                skip = True
            else:
                kept.append(word)
        flags[os.path.normpath(os.path.join(entry["directory"], entry["file"]))] = kept
    return flags


def all_compile_flags(build):
    """As compile_flags(), with what only the arm64 cross build beside it compiles."""
    cross = build.parent / "aarch64"
    flags = {}
    if build != cross and (cross / "compile_commands.json").exists():
        flags = {path: ["--target=aarch64-linux-gnu", *words]
                 for path, words in compile_flags(cross).items()}
    return flags | compile_flags(build)


class Tidy:
    """clang-tidy with one set of checks, and the stamps of its clean runs."""

    def __init__(self, root, build, checks):
        self.root = root
        self.stamps = build / ("clang-tidy-nightly" if checks else "clang-tidy")
        self.flags = all_compile_flags(build)
        self.command = ["clang-tidy", "--quiet"] + ([f"--checks={checks}"] if checks else [])
        version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True)
        self.base = hashlib.sha256(version.stdout + repr(checks).encode()).hexdigest()

    def file_flags(self, source):
        return self.flags.get(str(self.root / source), DEFAULT_FLAGS + [f"-I{self.root}"])

    def key(self, source, dependencies):
        parts = [self.base, " ".join(self.file_flags(source)), self.configuration(source)]
        parts += [f"{name} {file_hash(self.root / name)}" for name in sorted(dependencies)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def configuration(self, source):
        """The .clang-tidy files that count for a source: those of its folder and above."""
        folders = [self.root / folder for folder in pathlib.PurePath(source).parents]
        return " ".join(file_hash(folder / ".clang-tidy") for folder in folders)

    def dependencies(self, source):
        """Every file the source includes, by name relative to the root where it lies inside."""
        result = subprocess.run(["clang++", *self.file_flags(source), "-Wno-error", "-M", source],
                                cwd=self.root, capture_output=True, text=True)
        words = result.stdout.replace("\\\n", " ").partition(":")[2].split()
        return [os.path.relpath(word, self.root) if word.startswith(f"{self.root}/") else word
                for word in words]

    def stamp(self, source):
        return self.stamps / (source.replace("/", "_") + ".json")

    def is_clean(self, source):
        try:
            known = json.loads(self.stamp(source).read_text())
        except (OSError, ValueError):
            return False
        return known["key"] == self.key(source, known["dependencies"])

    def run(self, source):
        """The findings, empty when there are none."""
        result = subprocess.run(
            [*self.command, source, "--", *self.file_flags(source)],
            cwd=self.root, capture_output=True, text=True)
        if result.returncode != 0:
            return (result.stdout + result.stderr).strip() or f"clang-tidy failed on {source}"
        dependencies = self.dependencies(source)
        if dependencies:
            self.stamps.mkdir(parents=True, exist_ok=True)
            self.stamp(source).write_text(json.dumps(
                {"key": self.key(source, dependencies), "dependencies": dependencies}))
        return ""


def separate(output):
    """The findings in clang-tidy's output: each with its place in the source, without the notes."""
    parts = re.split(r"^(?=\S+:\d+:\d+: (?:error|warning|note):)", output, flags=re.MULTILINE)
    findings = [part.rstrip() for part in parts if re.match(r"\S+ (?:error|warning):", part)]
    return findings or ([output] if output else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    checks = "clang-analyzer-*" if os.environ.get("NESTLING_NIGHTLY") else ""
    tidy = Tidy(root, arguments.build.resolve(), checks)
    files = sources(root)
    stale = [source for source in files if not tidy.is_clean(source)]
    bad = 0
    known = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in concurrent.futures.as_completed([pool.submit(tidy.run, each) for each in stale]):
            output = done.result()
            bad += bool(output)
            for finding in separate(output):
                if finding not in known:  # one in a header comes with each file that includes it
                    known.add(finding)
                    print(finding, flush=True)
    print(f"clang-tidy: {len(files)} files, {len(stale)} looked at again, {bad} with findings")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
