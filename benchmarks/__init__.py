"""What is claimed about speed, measured again by whoever asks: ``python -m benchmarks``."""
