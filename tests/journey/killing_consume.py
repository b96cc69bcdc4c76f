"""`rayhound consume` with analysers whose classifier kills, an entry point of the tests' own: `… [all|patient]`.

It is `rayhound.wiring.consume.consume` with another command for its analysers; production has no such switch. Unless
`patient`, an analysis has less time than usual: after a death of its process nobody tries an image until that is over.
"""

import sys

from rayhound.domain import Limits
from rayhound.settings import read
from rayhound.wiring.consume import consume
from tests.journey.killing_up import killing

if __name__ == "__main__":
    limits = Limits() if "patient" in sys.argv else Limits(analysis_cpu=5.0, analysis_wall=10.0)
    sys.exit(consume(read(), limits, killing))
