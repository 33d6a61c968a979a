"""drydock: a simulated exchange in its own process, with its own disk and its own protocol."""
