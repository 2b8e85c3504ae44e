"""From the inbox to a claimed job: watching, settling, claiming, validating."""
