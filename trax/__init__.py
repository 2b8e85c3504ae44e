"""Trax: a hot-folder transcription appliance. Recordings go into the inbox; who said what and when comes out."""

__version__ = "2.0.0.dev0"
