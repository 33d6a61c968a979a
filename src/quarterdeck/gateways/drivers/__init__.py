"""The drivers that ship with the project, one module per venue protocol."""
