"""Transaction cost analysis: what an order cost, against which price, and why. Pure."""
