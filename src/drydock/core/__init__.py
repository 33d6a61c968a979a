"""The pure venue: integers in, events out; no clock, no I/O, no chance."""
