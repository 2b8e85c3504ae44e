"""The worker processes: the decode child, the lane worker, the tools."""
