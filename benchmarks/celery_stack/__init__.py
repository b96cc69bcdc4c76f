"""The same durable work as a competent user of Celery, FastAPI and RabbitMQ would write it.

The same as Rayhound's: what cannot be an image is refused at the door by the same code; the image's bytes and its name
are on stable storage before anything is published; RabbitMQ confirms before the `202`; the queue is a quorum queue; the
same code decodes and classifies with the same model, in as many processes; an analysis is on stable storage before its
message is acknowledged. One process serves HTTP, one consumes.

Where Celery's users have a faster choice than Rayhound it is taken: uvloop and httptools, one flat folder for images
and one for analyses, no heartbeats and no gossip between its processes, messages that carry all that is known.

What it does not promise:

- When publishing fails after the image was stored, the sender gets a 500, and the image stays and is never analysed;
  sent again, it is a second one. A broker that is away fails every upload, and one that lost its queue lost the work.
- Whoever runs a task twice analyses twice; the later analysis overwrites the earlier.
- An image that kills its process is tried as often as the queue's delivery limit lets it (for ever, on RabbitMQ 3.10),
  and its neighbours with it. Nothing tests the model before tasks are taken, and nothing bounds an analysis's memory.
- No hash against damaged storage, no record of what was accepted, no status to ask for.
"""
