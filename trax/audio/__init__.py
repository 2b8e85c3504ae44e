"""Bytes to PCM to speech: decoding and voice activity. Runs only in worker processes."""
