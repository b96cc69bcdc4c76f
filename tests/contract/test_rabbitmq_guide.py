"""What docs/guides/rabbitmq.md tells people to type does what it says there; `rayhound requeue` is for a journey."""

import asyncio
import re
from collections.abc import Generator
from contextlib import aclosing

import pytest

from rayhound.adapters.rabbitmq import Queues, messages
from rayhound.domain import Misconfigured
from tests.brokers import VERSIONS, RabbitBroker, rabbitmq
from tests.guides import ROOT, commands
from tests.rabbits import PREFETCH, Rabbit, a_request, channel_of, next_of, published_in_the_end, taken_from, waiting_in

pytestmark = pytest.mark.anyio


def typed(broker: RabbitBroker, section: str) -> None:
    """Type the commands of a section that are for the broker."""
    ours = [words for words in commands("rabbitmq.md", section) if words != ["rayhound", "requeue"]]
    assert {words[0] for words in ours} == {"rabbitmqctl"}
    for _, *arguments in ours:
        broker.ctl(*arguments)


@pytest.fixture(scope="module", params=VERSIONS)
def people_s_broker(request: pytest.FixtureRequest) -> Generator[RabbitBroker]:
    """A broker whose owner read *Users*."""
    with rabbitmq(request.param) as broker:
        broker.ctl("await_startup")  # 4.3 answers clients a little before it answers its owner
        typed(broker, "Users")
        yield broker


@pytest.fixture
def url(people_s_broker: RabbitBroker) -> str:
    """The address as *Users* has it."""
    return f"amqp://rayhound:PASSWORD@127.0.0.1:{people_s_broker.port}/rayhound"


async def test_the_user_of_the_guide_may_do_all_that_rayhound_does(url: str) -> None:
    async with Rabbit(url, PREFETCH, Queues()) as queue:
        request = a_request()
        await published_in_the_end(queue, request)
        async with aclosing(queue.deliveries()) as deliveries:
            await (await next_of(deliveries)).reject()
        letter = await taken_from(url, Queues().dead)
        assert messages.read(letter.body) == request


async def test_a_queue_with_other_arguments_is_migrated_as_the_guide_has_it(
    people_s_broker: RabbitBroker, url: str
) -> None:
    async with channel_of(url) as channel:
        await channel.queue_delete(Queues().images)
        await channel.declare_queue(Queues().images, durable=True, arguments={"x-queue-type": "classic"})
    async with Rabbit(url, PREFETCH, Queues()) as queue:
        assert isinstance(queue.subscriber.trouble, Misconfigured)
        assert "## Migration\n" in (ROOT / "docs/guides/rabbitmq.md").read_text()
        assert "Migration" in queue.subscriber.trouble.hint
        await asyncio.to_thread(typed, people_s_broker, "Migration")
        request = a_request()
        await published_in_the_end(queue, request)
        async with aclosing(queue.deliveries()) as deliveries:
            delivery = await next_of(deliveries)
            assert delivery.request == request
            await delivery.ack()


async def test_a_leader_is_chosen_as_the_guide_has_it_and_other_queues_are_left_alone(
    people_s_broker: RabbitBroker, url: str
) -> None:
    async with Rabbit(url, PREFETCH, Queues()) as queue:
        await published_in_the_end(queue, a_request())
    permissions = ("set_permissions", "-p", "rayhound", "guest", ".*", ".*", ".*")
    await asyncio.to_thread(people_s_broker.ctl, *permissions)
    async with channel_of(url.replace("rayhound:PASSWORD", "guest:guest")) as channel:
        await channel.declare_queue("bystander", durable=True, arguments={"x-queue-type": "classic"})
        pids = await asyncio.to_thread(people_s_broker.ctl, "list_queues", "-p", "rayhound", "name", "pid")
        await asyncio.to_thread(typed, people_s_broker, "A queue without a leader")
        assert await asyncio.to_thread(people_s_broker.ctl, "list_queues", "-p", "rayhound", "name", "pid") == pids
    async with Rabbit(url, PREFETCH, Queues()) as queue:
        await published_in_the_end(queue, a_request())
    assert await waiting_in(url, Queues().images) == 2


async def test_every_command_between_the_lines_of_the_guide_exists(people_s_broker: RabbitBroker) -> None:
    text = (ROOT / "docs/guides/rabbitmq.md").read_text()
    inline = re.findall(r"`rabbitmqctl ([^`\n]+)`", text)
    assert inline == ["enable_feature_flag all"]
    for command in inline:
        people_s_broker.ctl(*command.split())
