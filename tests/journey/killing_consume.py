"""`rayhound consume` with analysers whose classifier kills, a test's own entry point: `… [all|patient SECONDS]`.

It is `rayhound.wiring.consume.consume` with another command for its analysers; production has no such switch. An
analysis has less time than usual, or what `patient` says: so long after its process died nobody else tries an image.
"""

import sys

from rayhound.domain import Limits
from rayhound.settings import read
from rayhound.wiring.consume import consume
from tests.journey.killing_up import killing

if __name__ == "__main__":
    patient = "patient" in sys.argv
    limits = Limits(analysis_wall=float(sys.argv[2])) if patient else Limits(analysis_cpu=5.0, analysis_wall=10.0)
    sys.exit(consume(read(), limits, killing))
