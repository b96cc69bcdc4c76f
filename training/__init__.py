"""Trains the model that Rayhound brings: from a folder of labelled images to one file that describes itself."""
