"""Trax: a hot-folder transcription appliance. Recordings go into the inbox; who said what and when comes out."""

import os

__version__ = "2.0.0.dev0"

# ONNX Runtime reports its use to its maker over the network and keeps a device id in the home folder, unless this is set before it is
# loaded. Here, because nothing of Trax is loaded sooner: whatever process it is, nothing leaves the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
