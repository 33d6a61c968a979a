"""The demonstration: the whole system on this machine, killed while it works, and proven whole."""
