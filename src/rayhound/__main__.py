"""The command `rayhound`, and `python -m rayhound`."""

import os
import signal
import sys


def main() -> int:
    """Run the command; it can be told to stop from its first moment."""
    if os.getpid() == 1:
        # From the first process of a container the kernel keeps a signal that has no handler. What follows takes a
        # second to load, and a pod that was told to stop meanwhile would run until its grace is over.
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    from rayhound.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
