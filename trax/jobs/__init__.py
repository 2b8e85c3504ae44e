"""What is remembered: jobs, their state machine, the ledger and the archives."""
