"""`python -m rayhound` is the command `rayhound`."""

import sys

from rayhound.cli import main

if __name__ == "__main__":
    sys.exit(main())
