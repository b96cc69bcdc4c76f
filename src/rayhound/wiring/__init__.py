"""The composition root: settings become opened adapters, and are closed in reverse.

Only here are settings, ports and adapters joined: `archive` and `classifier` open one thing, `up` is everything in one
process.
"""
