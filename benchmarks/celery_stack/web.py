"""The web server: spool the upload, look whether it is an image, keep it, publish, and answer 202."""

import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, HTTPException, UploadFile

from benchmarks.celery_stack.files import keep
from benchmarks.celery_stack.queue import ANALYSE, app
from rayhound.domain import Limits, NotAnImage, Unreadable
from rayhound.reading import inspect

DATA = Path(os.environ["STACK_DATA"])
LIMITS = Limits()

web = FastAPI()


@web.get("/readyz")
async def ready() -> str:
    """Whether it serves."""
    return "yes"


@web.post("/upload", status_code=202)
def upload(image: UploadFile) -> dict[str, str]:
    """Accept one image; FastAPI runs this in one of its threads, since keeping and publishing wait."""
    image_id = str(uuid.uuid4())
    spooled = DATA / "spool" / image_id
    try:
        with spooled.open("xb") as file:
            shutil.copyfileobj(image.file, file)
            file.flush()
            inspect(spooled, LIMITS)
            keep(file, spooled, DATA / "images" / image_id)
    except (NotAnImage, Unreadable) as e:
        raise HTTPException(415, e.detail) from e
    finally:
        spooled.unlink(missing_ok=True)
    app.send_task(ANALYSE, (image_id, image.filename, datetime.now(UTC).isoformat()), confirm_timeout=5)
    return {"image_id": image_id}
