"""The live kernel as an oracle: what it answers, beside what the virtual kernel answers."""
