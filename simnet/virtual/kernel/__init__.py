"""The kernel of a virtual host: what a descriptor refers to, and what each call on it answers."""
