"""The command `genba`: finds the module of a command, runs it, and turns errors into one sentence and an exit code.

`genba --help` must be quick: this module imports nothing but the standard library until a command is chosen.
"""

import difflib
import importlib
import keyword
import sys

# command -> what it does; each lives in generators/commands/<command>.py, a word of Python's in <command>_.py
COMMANDS = {
    "list": "list the tasks",
    "describe": "tell a task's parameters, channels, actions and success",
    "generate": "generate a dataset from a YAML file or a task",
    "plan": "tell what a dataset will cost, here and on a cluster",
    "resume": "continue a dataset that was interrupted",
    "fetch": "bring a dataset from a store into a folder, every hash checked",
    "render": "draw a dataset's pictures from its recorded states",
    "info": "tell what a dataset holds",
    "validate": "check a dataset: hashes, contents (--deep), exact replay (--replay)",
    "stats": "tell mean, deviation, extremes and quantiles of a dataset's columns",
    "filter": "make a dataset of the episodes that a query describes",
    "merge": "make one dataset of several",
    "split": "divide a dataset into parts by groups, for training and test",
    "migrate": "bring a dataset of an earlier version up to this one",
    "card": "write a dataset's cards, Croissant and provenance, and say what they need",
    "sign": "sign a dataset with your key",
    "verify": "check that a dataset is as it was signed",
    "export": "write a dataset for minari, robomimic, lerobot or mcap's viewers",
    "import": "make a dataset of a robomimic file",
    "preview": "make a contact sheet and videos of a dataset",
    "report": "write what a dataset holds as one HTML file, in English and Japanese",
    "page": "make a page of a task: parameters with sources, pictures, figures, anchors",
    "view": "watch a task or a recorded episode in a browser",
    "bench": "measure the speed of this machine, as ratios",
    "faults": "disturb the program on purpose, and see whether it loses anything",
    "env": "tell versions, places and open ports",
}
EXIT_CODES = (
    "exit codes: 0 done, 1 finished with errors or findings, 2 bad input, 3 the machine's fault, 130 interrupted"
)


def main(argv: list[str] | None = None) -> int:
    """Run a command line; return its exit code."""
    args = sys.argv[1:] if argv is None else argv
    if not args or args[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if args else 2
    if args[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"genba {version('genba')}")
        return 0
    command = args[0]
    if command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"commands: {', '.join(COMMANDS)}"
        return _fail(f"no command {command!r}; {hint}", 2)
    return _guarded(command, args[1:])


def usage() -> str:
    """Return what `genba --help` prints."""
    rows = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
    return (
        "genba: industrial scenes, generated into datasets that replay to the bit\n\n"
        f"usage: genba COMMAND ... ; genba COMMAND --help tells more\n\n{rows}\n\n"
        "example:\n"
        "  genba generate steel/crane_coil --episodes 40 --out datasets/crane\n"
        "  genba validate datasets/crane --deep --replay 10\n\n"
        f"{EXIT_CODES}"
    )


def _guarded(command: str, args: list[str]) -> int:
    from sim.errors import GenbaError

    try:
        module = f"{command}_" if keyword.iskeyword(command) else command
        return importlib.import_module(f"generators.commands.{module}").main(args)
    except SystemExit as error:  # tyro's, after --help or a flag that does not exist
        return error.code if isinstance(error.code, int) else 2
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except GenbaError as error:
        return _fail(" ".join(str(error).split()), getattr(error, "exit_code", 2))
    except OSError as error:
        what = f"{error.strerror or type(error).__name__}: {error.filename}" if error.filename else str(error)
        return _fail(what, 3)


def _fail(message: str, code: int) -> int:
    print(f"genba: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
