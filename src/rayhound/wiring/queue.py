"""The broker of the settings, opened for a role."""

from rayhound.adapters.rabbitmq import Address, RabbitPublisher, RabbitSubscriber, Tls
from rayhound.domain import Misconfigured
from rayhound.server.health import Check
from rayhound.settings import Settings


def address(settings: Settings) -> Address:
    """Where the broker is, and how it lets us in; raises `Misconfigured`."""
    if settings.queue is None:
        hint = "name the RabbitMQ that all parts share: amqp://user:password@host:5672/vhost"
        raise Misconfigured("RAYHOUND_QUEUE is not set", hint)
    tls = Tls(settings.queue_ca, settings.queue_certificate, settings.queue_key)
    return Address(settings.queue, settings.queue_user, settings.queue_password, tls, settings.queue_secret)


def open_publisher(settings: Settings) -> RabbitPublisher:
    """A publisher, to be opened; it does not need the broker to be there."""
    return RabbitPublisher(address(settings))


def open_subscriber(settings: Settings, prefetch: int) -> RabbitSubscriber:
    """A subscriber, to be opened; it does not need the broker to be there."""
    return RabbitSubscriber(address(settings), prefetch)


async def reached(settings: Settings) -> str:
    """What can be said of a broker that is there; raises `Unavailable` or `Misconfigured`."""
    async with open_publisher(settings) as publisher:
        if publisher.trouble is not None:
            raise publisher.trouble
        await publisher.ping()
    return f"{address(settings)} is there, and so are its queues"


async def check_subscriber(subscriber: RabbitSubscriber) -> Check:
    """Whether requests can come; a consumer without a broker is not ready."""
    why = subscriber.trouble
    return Check("queue", True) if why is None else Check("queue", False, True, why.detail, why.hint)
