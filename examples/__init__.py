"""Programs to read and to copy, and the demonstration that runs them."""
