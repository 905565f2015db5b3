"""`python -m edge` and the console script `edge`.

Loading the command line takes a moment. Told to stop in it, `edge run` ends as it would later, with exit status 0: a service
that is stopped right after its start has not failed. The other commands have no orderly end and keep the system's own.
"""

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn


def serves(arguments: Sequence[str]) -> bool:
    """Whether this command line is `edge run`, by name or by its flags alone."""
    return not arguments or arguments[0] == "run" or arguments[0].startswith("-")


def leave(_number: int, _frame: object) -> NoReturn:
    """Nothing runs yet that would have to be ended."""
    raise SystemExit(0)


def main() -> NoReturn:
    """Load and run the command line of this process."""
    if serves(sys.argv[1:]):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, leave)
    from edge.cli.main import main as run  # noqa: PLC0415  # this is what takes the moment

    run()


if __name__ == "__main__":
    main()
