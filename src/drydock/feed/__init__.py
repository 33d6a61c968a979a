"""Where the market comes from: recordings, a seeded random walk, or the test at hand."""
