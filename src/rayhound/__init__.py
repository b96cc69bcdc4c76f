"""Rayhound takes in animal images, keeps every one safe, and says whether it shows a dog or a cat."""

__version__ = "0.1.0"
