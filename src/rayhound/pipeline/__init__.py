"""The whole behaviour: accept, complete, sweep, requeue and settle."""
