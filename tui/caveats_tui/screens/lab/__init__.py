"""The lab: one screen on which a network is set up, trained and watched."""
