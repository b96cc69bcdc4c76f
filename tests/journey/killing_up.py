"""`rayhound up` with analysers whose classifier kills, an entry point of the tests' own.

`… [all|patient] --data DIR --port N` is `rayhound.wiring.up.up` with another command for its analysers; production has
no such switch. Unless `patient`, an analysis has less time than usual.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rayhound.domain import Limits
from rayhound.settings import Settings, read
from rayhound.wiring.up import up

KILLING = Path(__file__).parents[1] / "killing.py"


def killing(settings: Settings, limits: Limits) -> Sequence[str]:
    """The command of an analyser that kills."""
    return (sys.executable, str(KILLING), json.dumps(asdict(limits)), *sys.argv[1:2])


if __name__ == "__main__":
    options = dict(zip(sys.argv[1:-1], sys.argv[2:], strict=True))
    given = read(archive=Path(options["--data"]), port=int(options["--port"]), analysers=2)
    limits = Limits(analysis_cpu=2.0, analysis_wall=60.0 if "patient" in sys.argv else 4.0)
    sys.exit(up(given, lambda text: print(text, file=sys.stderr), limits, killing))
