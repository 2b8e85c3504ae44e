"""PCM to words: the speech recognition engines. Runs only in worker processes."""
