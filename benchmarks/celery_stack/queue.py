"""The Celery application: a durable quorum queue, publisher confirms, and acknowledgements that come last."""

import os

from celery import Celery
from kombu import Queue

ANALYSE = "analyse"

app = Celery("benchmark", broker=os.environ["STACK_BROKER"], include=["benchmarks.celery_stack.analysing"])
app.conf.update(
    task_queues=[Queue("celery-images", routing_key="celery-images", queue_arguments={"x-queue-type": "quorum"})],
    task_default_queue="celery-images",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,  # it is a file
    task_time_limit=120,
    task_publish_retry=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=4,
    worker_enable_remote_control=False,
)
