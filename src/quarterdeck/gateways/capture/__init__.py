"""Recording of what a gateway published, in the layout that recorded market data has everywhere."""
