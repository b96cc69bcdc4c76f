"""From bytes to pixels: what an image is, how large it is, and what it looks like.

`inspect` reads the header alone, without a decoder: safe at the door. `read` decodes, and belongs in an analyser.
"""

from rayhound.reading.header import inspect
from rayhound.reading.pixels import Picture, read

__all__ = ["Picture", "inspect", "read"]
