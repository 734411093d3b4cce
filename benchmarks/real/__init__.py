"""The loop on real sockets, beside others, measured by whoever asks: ``python -m benchmarks.real``."""
