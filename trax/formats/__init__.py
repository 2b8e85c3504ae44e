"""Transcript to text: the output formats. Pure functions."""
