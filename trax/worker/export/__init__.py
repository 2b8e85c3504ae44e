"""pyannote.audio checkpoints to ONNX: the only code of Trax that needs torch, in a tool process of its own, never at run time."""
