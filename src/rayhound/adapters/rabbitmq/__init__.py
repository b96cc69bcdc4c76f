"""RabbitMQ: requests wait in a quorum queue, on disk before a publish is confirmed, and dead letters in another.

`RabbitPublisher` and `RabbitSubscriber` are opened with `async with`, whether or not the broker is there: each keeps a
connection of its own and opens it anew for as long as it is open itself. They share none, because a broker that is
short of memory or disk stops reading from whoever publishes, acknowledgements included.
"""

from rayhound.adapters.rabbitmq.address import Address, Tls
from rayhound.adapters.rabbitmq.publishing import RabbitPublisher
from rayhound.adapters.rabbitmq.queues import Queues
from rayhound.adapters.rabbitmq.subscribing import RabbitSubscriber

__all__ = ["Address", "Queues", "RabbitPublisher", "RabbitSubscriber", "Tls"]
