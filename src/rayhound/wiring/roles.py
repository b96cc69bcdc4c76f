"""What the roles share: the settings that they cannot do without, and their analysers."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rayhound.analysers.cores import cores
from rayhound.analysers.pool import Analysers, command
from rayhound.consumer import Consumer
from rayhound.domain import Limits, Misconfigured
from rayhound.server.health import Check
from rayhound.settings import Settings
from rayhound.wiring.queue import address

ALSO_IN_HAND = 16  # fetching, analysing and storing overlap, so that an analyser never waits for a disk
DEFAULTS = Limits()
EVERYWHERE, DRAIN_SECONDS = "0.0.0.0", 5.0

Command = Callable[[Settings, Limits], Sequence[str]]


def usual_analyser(settings: Settings, limits: Limits) -> Sequence[str]:
    """The command that starts one analyser."""
    return command(settings.model, limits)


def bounded(settings: Settings, limits: Limits) -> Limits:
    """The limits with those that are settings."""
    return replace(limits, analysis_memory=settings.analysis_memory, keep_alive=settings.keep_alive_seconds)


def analysers_of(settings: Settings, limits: Limits, analyser: Command) -> tuple[Analysers, int]:
    """The analysers of this process, to be opened, and how many requests it may have in hand.

    Raises `Misconfigured` where there is no model file; one that does not work may still be mended while we run.
    """
    if not settings.model.is_file():
        hint = "give another with --model or RAYHOUND_MODEL, or leave it out for the one that Rayhound brings"
        raise Misconfigured(f"there is no model file {settings.model}", hint)
    count = settings.analysers or cores()
    return Analysers(analyser(settings, limits), count, limits), count + ALSO_IN_HAND


def require_parts(settings: Settings) -> None:
    """Raises `Misconfigured` unless archive and queue are set: a part that guessed them would work alone."""
    if settings.archive is None:
        raise Misconfigured("RAYHOUND_ARCHIVE is not set", "name what all parts share: file:///folder or s3://bucket")
    address(settings)


async def check_consumer(consumer: Consumer) -> Check:
    """Whether what it is handed is of its own archive."""
    why = consumer.trouble
    return Check("requests", True) if why is None else Check("requests", False, True, why.detail, why.hint)


async def check_analysers(analysers: Analysers) -> Check:
    """Whether the analysers can be trusted; a process whose cannot is not ready."""
    why = analysers.unsound
    return Check("analysers", True) if why is None else Check("analysers", False, True, why.detail, why.hint)
