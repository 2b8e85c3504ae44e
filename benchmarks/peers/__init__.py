"""Other programs that run Whisper, each measured in a process of its own.

The adapters (`peer_…`) run with the Python of an environment that has none of Trax's packages, so they import nothing but the standard
library, `peers.peer` and what they measure. The rest runs in Trax's: `roster` starts the adapters, `weights` makes the files they read.
"""
