"""`rayhound serve` and `rayhound consume`: the parts apart, any number of each."""

from rayhound.cli.options import run, settings


def serve() -> int:
    """Run a web server, one of any number, on an archive and a RabbitMQ that all parts share.

    It is set up by the environment alone; RAYHOUND_ARCHIVE and RAYHOUND_QUEUE must be set.
    """
    from rayhound.wiring.serve import serve as part

    return run(part, settings())


def consume() -> int:
    """Run a consumer, one of any number: it takes requests from RabbitMQ and analyses images in the archive.

    It is set up by the environment alone; RAYHOUND_ARCHIVE and RAYHOUND_QUEUE must be set. /livez, /readyz and /metrics
    are at RAYHOUND_METRICS_PORT.
    """
    from rayhound.wiring.consume import consume as part

    return run(part, settings())
