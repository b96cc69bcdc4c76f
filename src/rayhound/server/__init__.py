"""HTTP: uploads, images, health and metrics."""

from rayhound.server.app import Parts, create_app
from rayhound.server.health import Check
from rayhound.server.room import Room
from rayhound.server.running import WebServer
from rayhound.server.waiting import Waiters

__all__ = ["Check", "Parts", "Room", "Waiters", "WebServer", "create_app"]
