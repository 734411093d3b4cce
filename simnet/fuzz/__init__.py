"""The search for runs that fail, and for the smallest one."""
