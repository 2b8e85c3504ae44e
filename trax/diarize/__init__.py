"""PCM to turns: embeddings, clustering, smoothing. Runs only in worker processes."""
