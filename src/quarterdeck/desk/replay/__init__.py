"""Journals told again: their file format, the fold, and every decision made a second time."""
