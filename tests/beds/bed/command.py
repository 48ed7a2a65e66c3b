"""The command line of scripts/bed."""

import argparse
import os
import signal
import sys

from . import kernels, tools
from .errors import MEANINGS, BedError, Code
from .machines import MACHINES, Settings
from .session import Order, Session

EPILOGUE = """\
The exit code is the program's, or 128 + N when signal N ended it. When the bed itself fails, it says
why on standard error, with one of these exit codes:
""" + "".join(f"  {code:d}  {meaning}\n" for code, meaning in MEANINGS.items())


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        raise BedError(Code.USAGE, message)


def pair(text):
    """SRC[:DST]; without DST the same name in the root folder."""
    source, colon, target = text.partition(":")
    target = target if colon else "/" + os.path.basename(os.path.normpath(source))
    if not source or not target.startswith("/"):
        raise argparse.ArgumentTypeError("wants SOURCE[:/PATH/IN/THE/BED]")
    return source, os.path.normpath(target)


def result_pair(text):
    """SRC[:DST]; without DST the same name in the current folder."""
    source, colon, target = text.partition(":")
    target = target if colon else os.path.basename(os.path.normpath(source))
    if not source.startswith("/") or not target:
        raise argparse.ArgumentTypeError("wants /PATH/IN/THE/BED[:TARGET]")
    return os.path.normpath(source), target


def assignment(text):
    if not text.partition("=")[1] or text.startswith("="):
        raise argparse.ArgumentTypeError("wants NAME=VALUE")
    return text


def count(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("wants a number from 1")
    return number


def parser():
    result = Parser(
        prog="scripts/bed", usage="scripts/bed %s [options] PROGRAM [ARGUMENT...]"
        % "|".join(MACHINES), epilog=EPILOGUE, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs a static program as root in an emulated machine that has /dev/kvm.")
    add = result.add_argument
    add("--timeout", type=float, default=300, metavar="SECONDS", help="for the program (300)")
    add("--boot-timeout", type=float, default=300, metavar="SECONDS",
        help="for the machine, until the program starts (300)")
    add("--memory", type=count, default=1024, metavar="MIB", help="of the machine (1024)")
    add("--cpus", type=count, default=1, metavar="N", help="of the machine (1)")
    add("--put", type=pair, action="append", default=[], metavar="SOURCE[:PATH]",
        help="a file or folder for the bed, in its root folder unless PATH says where")
    add("--get", type=result_pair, action="append", default=[], metavar="PATH[:TARGET]",
        help="a file or folder to bring out when the program has ended")
    add("--env", type=assignment, action="append", default=[], metavar="NAME=VALUE",
        help="for the program's environment")
    add("--at", default="", metavar="PATH", help="the program's own path in the bed")
    add("--hugepages", type=count, default=0, metavar="N", help="2 MiB pages to set aside")
    add("--cpu", default="", metavar="MODEL", help="another processor, as for QEMU's -cpu")
    add("--gic", type=int, choices=(2, 3), default=0,
        help="version of the machine's interrupt controller, arm64 only (3)")
    add("--kernel-argument", action="append", default=[], metavar="WORD", help="for the kernel")
    add("--deterministic", action="store_true",
        help="time counts instructions, nothing is random: nearly repeatable, slower")
    add("--verbose", action="store_true", help="the kernel's log, on standard error")
    add("--fetch", action="store_true",
        help="only make sure that everything the bed needs is in the cache; no PROGRAM")
    add("--refresh", action="store_true", help="like --fetch, with the newest kernel")
    add("command", nargs=argparse.REMAINDER, metavar="PROGRAM ARGUMENT...", help="what to run")
    return result


def run(words):
    # By hand: argparse would take the options behind the first positional argument for the program's.
    architecture = words[0] if words else "no architecture"
    options = parser().parse_args(words[1:] if architecture in MACHINES else words)
    if architecture not in MACHINES:
        raise BedError(Code.USAGE, f"{architecture}: wants {' or '.join(MACHINES)} first")
    if options.gic and architecture != "arm64":
        raise BedError(Code.USAGE, f"--gic: the {architecture} bed has no GIC, the arm64 bed has")
    if options.fetch or options.refresh:
        kernel = kernels.kernel_for(architecture, refresh=options.refresh)
        tools.compiled("init.cpp", architecture)
        print(f"bed: {architecture}: Linux {kernel.version}")
        return 0
    if not options.command:
        raise BedError(Code.USAGE, "no PROGRAM; scripts/bed --help says more")
    settings = Settings(options.memory, options.cpus, options.cpu, options.gic, options.hugepages,
                        options.deterministic, options.verbose, options.kernel_argument)
    order = Order(architecture, options.command[0], options.command[1:], settings, options.timeout,
                  options.boot_timeout, options.put, options.get, options.env, options.at)
    return Session(order).run()


def stopped(number, _frame):
    raise KeyboardInterrupt(number)


def main(words):
    """What scripts/bed does with its arguments; the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, stopped)
    try:
        return run(words)
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt as stop:
        # Everything is cleaned up by now: end as whoever sent the signal expects.
        signal.signal(stop.args[0], signal.SIG_DFL)
        os.kill(os.getpid(), stop.args[0])
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
