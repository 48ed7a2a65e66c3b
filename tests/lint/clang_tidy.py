#!/usr/bin/env python3
"""Runs clang-tidy over every C++ source of the tree, again only where something it saw has changed.

usage: clang_tidy.py ROOT BUILD

Most of clang-tidy's time goes into the headers, so sources that are compiled alike and declare no
name twice are looked at together, one after the other in one file. Where that finds something, or
does not compile, the halves are looked at by themselves, down to the single sources.

What a source's clean run depended on (the source, every file of the tree it may include, the
system's headers, .clang-tidy, the compiler's flags, clang-tidy itself) is hashed, and the hash kept
in the user's cache, nestling/clang-tidy, for the next run and for other copies of the tree. A
source whose hash is there is not looked at again. Findings are printed; the exit code is 1 when
there are any. With NESTLING_NIGHTLY in the environment the slow static analyzer runs, too.
"""

import argparse
import collections
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
import time

# For sources that the build tree at hand does not compile, such as the fuzzers.
DEFAULT_FLAGS = ["-std=c++20", "-Wall", "-Wextra"]
# More save little and keep the other cores waiting in the end.
BATCH_SIZE = 12
STAMP_DAYS = 60

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)', re.MULTILINE)
# A line that may declare a name at namespace scope: nothing there is indented.
DECLARATION = re.compile(
    r"^(?!TEST|TYPED_TEST|INSTANTIATE_|namespace\b|template\b)[A-Za-z_[].*", re.MULTILINE)
TYPE = re.compile(r"(?:class|struct|enum class|enum|union)\s+(\w+)")
# For a batch: which testing:: a source means must not depend on what the one before it included.
BATCH_START = """namespace testing {}
namespace nestling::testing {
using namespace ::testing;  // NOLINT(google-build-using-namespace)
}
"""


@functools.lru_cache(maxsize=None)
def file_hash(path):
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return "missing"


@functools.lru_cache(maxsize=None)
def includes(path):
    """The names in a file's include directives: those in quotes, and those in angle brackets."""
    try:
        found = INCLUDE.findall(pathlib.Path(path).read_text())
    except (OSError, ValueError):
        return [], []
    return ([name for mark, name in found if mark == '"'],
            [name for mark, name in found if mark == "<"])


def declared_names(path):
    """What a source declares outside of functions and types; a guess, for sources to be batched."""
    names = set()
    for line in DECLARATION.findall(path.read_text()):
        line = re.sub(r"<[^()]*>", "", line)
        kind = TYPE.match(line)
        if kind:
            names.add(kind.group(1))
        elif line.startswith("using "):  # either form
            names.add(re.split(r"::|\s", line.partition("=")[0].strip().rstrip(";"))[-1])
        else:
            words = re.sub(r"\[\[.*?\]\]", "", re.split(r"[({=;]", line)[0]).split()
            scope, _, name = words[-1].lstrip("*&").rpartition("::") if words else ("", "", "")
            if not scope or scope.rpartition("::")[2].islower():  # no member of a class
                names.add(name.partition("[")[0])
    return names - {""}


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


class Stamps:
    """Which hashes are known to be clean: a file each in the user's cache."""

    def __init__(self):
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        self.folder = pathlib.Path(cache) / "nestling" / "clang-tidy"
        self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, key):
        try:
            os.utime(self.folder / key)
        except OSError:
            return False
        return True

    def add(self, key):
        (self.folder / key).touch()

    def prune(self):
        """Removes what no run has asked for in STAMP_DAYS."""
        oldest = time.time() - STAMP_DAYS * 24 * 3600
        for path in self.folder.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except OSError:
                pass  # another run was faster


class Tidy:
    """clang-tidy with one set of checks."""

    def __init__(self, root, build, checks):
        self.root = root
        self.scratch = build / "clang-tidy"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.flags = all_compile_flags(build)
        self.command = ["clang-tidy-22", "--quiet"] + ([f"--checks={checks}"] if checks else [])
        version = subprocess.run(["clang-tidy-22", "--version"], capture_output=True, check=True)
        self.base = hashlib.sha256(version.stdout + repr(checks).encode()).hexdigest()
        self.files = sources(root)

    def file_flags(self, source):
        return self.flags.get(str(self.root / source), DEFAULT_FLAGS + [f"-I{self.root}"])

    def key(self, source):
        """Says the same in every copy of the tree."""
        flags = self.file_flags(source)
        target = tuple(word for word in flags if word.startswith("--target="))
        parts = [self.base, self.system_headers(target), self.configuration(source),
                 " ".join(flags).replace(str(self.root), "")]
        parts += [f"{name} {file_hash(self.root / name)}" for name in sorted(self.closure(source))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def configuration_files(self, source):
        """The .clang-tidy files that count for a source, the nearest first."""
        paths = [folder / ".clang-tidy" for folder in (self.root / source).parents
                 if folder.is_relative_to(self.root)]
        return [path for path in paths if path.exists()]

    def configuration(self, source):
        return " ".join(f"{path.relative_to(self.root)} {file_hash(path)}"
                        for path in self.configuration_files(source))

    def closure(self, source):
        """A source and every file of the tree that it may include, relative to the root."""
        seen, todo = set(), [source]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                for quoted in includes(self.root / name)[0]:
                    beside = os.path.normpath(os.path.join(os.path.dirname(name), quoted))
                    todo.append(beside if (self.root / beside).exists() else quoted)
        return seen

    @functools.lru_cache(maxsize=None)
    def system_headers(self, target):
        """A hash of every header outside of the tree that some source may include."""
        tree = set().union(*(self.closure(source) for source in self.files))
        names = sorted(set().union(*(includes(self.root / name)[1] for name in tree)))
        text = "".join(f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n"
                       for name in names)
        # Headers that refuse the target are errors; what it lists is complete nevertheless.
        result = subprocess.run(["clang++-22", *target, "-std=c++20", "-M", "-x", "c++", "-"],
                                input=text, capture_output=True, text=True)
        paths = result.stdout.replace("\\\n", " ").partition(":")[2].split()
        listed = "\n".join(f"{path} {file_hash(path)}" for path in sorted(paths) if path != "-")
        return hashlib.sha256(listed.encode()).hexdigest()

    def batches(self, stale):
        """The sources in lists, each to be looked at at once; the longest, slowest come first."""
        alike = collections.defaultdict(list)
        for source in stale:
            group = (*self.file_flags(source), self.configuration(source))
            alike[group].append(source)
        size = max(1, min(BATCH_SIZE, len(stale) // (2 * os.cpu_count())))
        result = []
        for group in alike.values():
            open_batches = []
            for source in group:
                names = declared_names(self.root / source)
                for members, taken in open_batches:
                    if len(members) < size and not names & taken:
                        members.append(source)
                        taken |= names
                        break
                else:
                    open_batches.append(([source], names))
            result += [members for members, _ in open_batches]
        return sorted(result, key=len, reverse=True)

    def run(self, batch):
        """The findings, as clang-tidy prints them: empty when there are none."""
        flags = self.file_flags(batch[0])
        if len(batch) == 1:
            return self.look(batch[0], flags, [])
        # No includes of the sources: in a file that is included, fewer things are warned of. The
        # macros begin anew what readability-duplicate-include remembers.
        text = BATCH_START + "".join(
            f"#define NESTLING_BATCH_{number}\n{(self.root / source).read_text()}\n"
            for number, source in enumerate(batch))
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        contents = self.scratch / f"{name}.cpp"
        contents.write_text(text)
        # It has to lie where the sources' .clang-tidy counts.
        place = self.configuration_files(batch[0])[0].parent / f"{name}.cpp"
        overlay = self.scratch / f"{name}.yaml"
        overlay.write_text(json.dumps({"version": 0, "roots": [
            {"type": "file", "name": str(place), "external-contents": str(contents)}]}))
        # g++ warns of shadowed names as well; here they may be another source's.
        findings = self.look(str(place), [*flags, "-Wno-shadow"], [f"--vfsoverlay={overlay}"])
        overlay.unlink()
        contents.unlink()
        return findings

    def look(self, path, flags, options):
        # Google Benchmark's macros count.
        result = subprocess.run([*self.command, *options, path, "--",
                                 *flags, "-Wno-c2y-extensions"],
                                cwd=self.root, capture_output=True, text=True)
        if result.returncode == 0:
            return ""
        return (result.stdout + result.stderr).strip() or f"clang-tidy failed on {path}"


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
    stamps = Stamps()
    keys = {source: tidy.key(source) for source in tidy.files}
    stale = [source for source in tidy.files if not stamps.has(keys[source])]
    bad = 0
    known = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(tidy.run, batch): batch for batch in tidy.batches(stale)}
        while running:
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED)
            for each in done:
                batch, output = running.pop(each), each.result()
                if not output:
                    for source in batch:
                        stamps.add(keys[source])
                elif len(batch) > 1:
                    half = len(batch) // 2
                    for part in (batch[:half], batch[half:]):
                        running[pool.submit(tidy.run, part)] = part
                else:
                    bad += 1
                    for finding in separate(output):
                        if finding not in known:  # one in a header comes with each that includes it
                            known.add(finding)
                            print(finding, flush=True)
    stamps.prune()
    print(f"clang-tidy: {len(tidy.files)} files, {len(stale)} looked at again, {bad} with findings")
    return 1 if bad or not tidy.files else 0


if __name__ == "__main__":
    sys.exit(main())
