"""What watching costs, and how far its verdicts can be trusted."""
