"""The stages of a job, the lanes they run on, the merge and the publication."""
