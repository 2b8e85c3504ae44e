"""What is loaded: the catalogue, the installed models, conversion. Runs only in worker processes."""
