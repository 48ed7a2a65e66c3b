#!/usr/bin/python3
"""Tests of scripts/bed: real machines for what works, and each way in which a bed itself can fail.

usage: bed_test.py x86_64|arm64 [TEST...]
"""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bed import kernels, tools  # noqa: E402
from bed.errors import Code  # noqa: E402

BED = HERE.parent.parent / "scripts" / "bed"
ARCHITECTURE = sys.argv.pop(1) if len(sys.argv) > 1 else "x86_64"
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[ARCHITECTURE]


def probe(architecture=ARCHITECTURE):
    return str(tools.compiled("probe.cpp", architecture))


def bed(*words, environment=None):
    return subprocess.run([BED, ARCHITECTURE, *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})


def processes_with(word):
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            pass  # ended meanwhile
    return found


class BedTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def assert_failed(self, done, code, *words):
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class ABed(BedTest):
    """What works: each test starts a machine."""

    def test_returns_the_programs_exit_code(self):
        self.assertEqual(bed(probe(), "exit", "42").returncode, 42)

    def test_tells_a_signal_from_an_exit_code(self):
        self.assertEqual(bed(probe(), "signal", str(int(signal.SIGKILL))).returncode, 128 + 9)

    def test_has_kvm_and_terminals(self):
        done = bed(probe(), "open", "/dev/kvm", "open", "/dev/ptmx", "open", "/dev/userfaultfd")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_keeps_output_and_errors_apart_and_complete(self):
        done = bed("--verbose", probe(), "say", "before", "fill", "1000000", "complain", "after")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "before")
        self.assertEqual(set(lines[1:]), {lines[1]})
        self.assertGreaterEqual(len(done.stdout), 1000000)
        self.assertIn("\nafter\n", done.stderr)
        self.assertIn("Linux version", done.stderr)

    def test_streams_what_the_program_says_while_it_runs(self):
        with subprocess.Popen([BED, ARCHITECTURE, probe(), "say", "now", "sleep", "1000"],
                              stdout=subprocess.PIPE) as running:
            self.assertEqual(running.stdout.readline(), b"now\n")
            self.assertIsNone(running.poll())
            running.terminate()

    def test_takes_files_in_and_brings_files_out(self):
        folder = self.scratch / "in" / "deep"
        folder.mkdir(parents=True)
        (folder / "note").write_text("from the host\n")
        target = self.scratch / "out"
        done = bed("--put", f"{self.scratch / 'in'}:/data", "--get", f"/data:{target}",
                   probe(), "show", "/data/deep/note", "write", "/data/answer")
        self.assertEqual((done.returncode, done.stdout), (0, "from the host\n"), done.stderr)
        self.assertEqual((target / "answer").read_text(), "written in the bed\n")
        self.assertEqual((target / "deep" / "note").read_text(), "from the host\n")

    def test_sets_the_environment(self):
        done = bed("--env", "GREETING=two words", probe(), "variable", "GREETING")
        self.assertEqual(done.stdout, "two words\n")

    def test_has_the_memory_cpus_and_huge_pages_asked_for(self):
        done = bed("--memory", "700", "--cpus", "2", "--hugepages", "16", probe(),
                   "show", "/proc/meminfo", "show", "/proc/cpuinfo")
        facts = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
        self.assertIn(int(facts["MemTotal"].split()[0]) // 1024, range(550, 700))
        self.assertEqual(int(facts["HugePages_Total"]), 16)
        self.assertEqual(done.stdout.count("processor\t:"), 2)

    @unittest.skipIf(ARCHITECTURE == "x86_64", "no GIC")
    def test_has_the_interrupt_controller_asked_for(self):
        for words, name in (([], "GICv3"), (["--gic", "2"], "GICv2"), (["--gic", "3"], "GICv3")):
            done = bed(*words, probe(), "show", "/proc/interrupts")
            self.assertIn(f" {name} ", done.stdout, done.stderr)

    def test_ends_with_the_program_whatever_that_left_running(self):
        self.assertEqual(bed("--timeout", "200", probe(), "leave-running", "1000", "exit",
                             "3").returncode, 3)

    def test_runs_in_deterministic_mode(self):
        done = bed("--deterministic", probe(), "open", "/dev/kvm", "show", "/proc/cmdline")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nokaslr", done.stdout)


class AFailingBed(BedTest):
    """Each way to fail has its exit code, and words that say what to do."""

    def test_says_when_the_kernel_panics(self):
        self.assert_failed(bed(probe(), "sysrq", "c"), Code.MACHINE,
                           "Kernel panic - not syncing: ", "while the program ran")

    def test_says_when_the_machine_restarts(self):
        self.assert_failed(bed(probe(), "sysrq", "b"), Code.MACHINE, "the machine ended")

    def test_says_when_the_kernel_never_gets_to_the_program(self):
        self.assert_failed(bed("--kernel-argument", "rdinit=/missing", probe()), Code.MACHINE,
                           "Kernel panic", "before the program could run")

    def test_ends_when_the_time_is_over(self):
        done = bed("--timeout", "2", probe(), "say", "started", "sleep", "1000")
        self.assert_failed(done, Code.TIMEOUT, "did not end within 2 s")
        self.assertEqual(done.stdout, "started\n")

    def test_says_when_the_machine_does_not_come_up(self):
        self.assert_failed(bed("--boot-timeout", "0.2", probe()), Code.MACHINE, "did not come up")

    def test_names_a_missing_emulator(self):
        self.assert_failed(bed(probe(), environment={"PATH": str(self.scratch)}), Code.NO_TOOL,
                           "qemu-system-", "scripts/install bed")

    def test_says_when_no_kernel_can_be_had(self):
        configuration = self.scratch / "apt.conf"
        configuration.write_text('Dir::Etc::SourceList "/dev/null"; Dir::Etc::SourceParts "/dev/null";')
        done = bed("--fetch", environment={"XDG_CACHE_HOME": str(self.scratch / "cache"),
                                           "APT_CONFIG": str(configuration)})
        self.assert_failed(done, Code.NO_KERNEL, "linux-image-")
        left = [path.name for path in (self.scratch / "cache/nestling/beds").iterdir()]
        self.assertEqual(left, [f"kernel-{ARCHITECTURE}.lock"])

    def test_refuses_a_program_for_another_architecture(self):
        self.assert_failed(bed(probe(OTHER)), Code.PROGRAM, f"is built for {OTHER}")

    def test_refuses_a_program_that_needs_libraries(self):
        source = self.scratch / "main.cpp"
        source.write_text("int main() {}\n")
        compiler = f"{tools.TRIPLETS[ARCHITECTURE]}-g++"
        subprocess.run([compiler, "-o", self.scratch / "main", source], check=True)
        self.assert_failed(bed(self.scratch / "main"), Code.PROGRAM, "link it with -static")

    def test_refuses_what_is_no_program(self):
        self.assert_failed(bed(__file__), Code.PROGRAM, "not a 64-bit ELF program")
        self.assert_failed(bed("/no/such/program"), Code.PROGRAM, "No such file")

    def test_explains_wrong_usage(self):
        self.assert_failed(bed("--put", "relative:relative", probe()), Code.USAGE, "--put")
        self.assert_failed(bed("--no-such-option"), Code.USAGE, "--no-such-option")
        self.assert_failed(bed(), Code.USAGE, "no PROGRAM")
        self.assert_failed(bed("--gic", "4", probe()), Code.USAGE, "--gic")
        self.assert_failed(bed("--put", "/no/such/file", probe()), Code.USAGE, "No such file")

    @unittest.skipIf(ARCHITECTURE == "arm64", "it has a GIC")
    def test_refuses_an_interrupt_controller_of_another_architecture(self):
        self.assert_failed(bed("--gic", "2", probe()), Code.USAGE, "no GIC", "arm64")

    def test_names_a_result_that_is_missing(self):
        done = bed("--get", f"/no/result:{self.scratch / 'result'}", probe(), "exit", "4")
        self.assert_failed(done, Code.RESULTS, "status 4", "/no/result: No such file")


class AStoppedBed(BedTest):
    """Nothing outlives a bed, whatever ends it."""

    def stop(self, number):
        marker = "stopped-" + hashlib.sha256(os.urandom(8)).hexdigest()[:16]
        temporary = {"TMPDIR": str(self.scratch)}
        with subprocess.Popen([BED, ARCHITECTURE, "--kernel-argument", marker, probe(), "say", "up",
                               "sleep", "1000"], stdout=subprocess.PIPE,
                              env={**os.environ, **temporary}) as running:
            self.assertEqual(running.stdout.readline(), b"up\n")
            self.assertEqual(len(processes_with(marker)), 2)
            running.send_signal(number)
            self.assertEqual(running.wait(), -number)
        deadline = time.monotonic() + 10
        while processes_with(marker) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(processes_with(marker), [])
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_by_control_c(self):
        self.stop(signal.SIGINT)

    def test_by_termination(self):
        self.stop(signal.SIGTERM)

    def test_by_being_killed(self):
        self.stop(signal.SIGKILL)


class TheCache(BedTest):
    def complete(self):
        folder = self.scratch / "kernel"
        folder.mkdir()
        (folder / "kernel").write_bytes(b"image")
        (folder / "a.ko").write_bytes(b"module")
        (folder / "kernel.json").write_text(json.dumps({
            "recipe": kernels.RECIPE, "version": "6.1", "modules": ["a.ko"],
            "sizes": {"kernel": 5, "a.ko": 6}}))
        return folder

    def test_gives_a_complete_kernel(self):
        folder = self.complete()
        self.assertEqual(kernels.cached(folder),
                         kernels.Kernel("6.1", folder / "kernel", (folder / "a.ko",)))

    def test_does_not_give_one_with_a_file_cut_short_or_gone(self):
        folder = self.complete()
        (folder / "a.ko").write_bytes(b"modul")
        self.assertIsNone(kernels.cached(folder))
        (folder / "a.ko").unlink()
        self.assertIsNone(kernels.cached(folder))

    def test_does_not_give_one_of_another_recipe_or_none_at_all(self):
        folder = self.complete()
        facts = json.loads((folder / "kernel.json").read_text())
        (folder / "kernel.json").write_text(json.dumps({**facts, "recipe": kernels.RECIPE - 1}))
        self.assertIsNone(kernels.cached(folder))
        (folder / "kernel.json").write_text("{")
        self.assertIsNone(kernels.cached(folder))
        self.assertIsNone(kernels.cached(self.scratch / "none"))

    def test_is_filled_once_by_beds_that_start_at_once(self):
        def fetch(_architecture, folder):
            with open(self.scratch / "fetched", "a") as log:
                log.write("once\n")
            time.sleep(0.2)
            self.complete().rename(folder)
            return kernels.cached(folder)

        with unittest.mock.patch.object(kernels, "fetch", fetch), \
             unittest.mock.patch.dict(os.environ, XDG_CACHE_HOME=str(self.scratch / "cache")):
            beds = []
            for _ in range(3):
                beds.append(os.fork())
                if beds[-1] == 0:
                    os._exit(0 if kernels.kernel_for(ARCHITECTURE) else 1)
            self.assertEqual([os.waitpid(bed, 0)[1] for bed in beds], [0, 0, 0])
        self.assertEqual((self.scratch / "fetched").read_text(), "once\n")


if __name__ == "__main__":
    unittest.main()
