"""Training: losses, optimizers, schedules, batches, and the loop that makes one step after
another. It measures nothing.
"""
