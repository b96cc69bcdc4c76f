"""`rayhound consume` with analysers whose classifier kills, an entry point of the tests' own: `… [all]`.

It is `rayhound.wiring.consume.consume` with another command for its analysers; production has no such switch.
"""

import sys

from rayhound.domain import Limits
from rayhound.settings import read
from rayhound.wiring.consume import consume
from tests.journey.killing_up import killing

if __name__ == "__main__":
    sys.exit(consume(read(), Limits(analysis_cpu=2.0, analysis_wall=4.0), killing))
