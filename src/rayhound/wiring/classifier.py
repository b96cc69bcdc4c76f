"""The model of the settings, in this very process."""

from rayhound.adapters.onnx import OnnxClassifier
from rayhound.settings import Settings


def open_classifier(settings: Settings) -> OnnxClassifier:
    """A model at work; raises `Misconfigured` for a file that is none, or that does not describe itself."""
    return OnnxClassifier(settings.model)
