"""This process among others: ranks of distributed training, silence of libraries, no telemetry, what is installed."""
