"""How good a model is: what it said of labelled images, set beside what they show.

Read `manifest.py` (what they show), then `answers.py` (what was said), then `report.py` (every figure together).
"""
