"""The way from the desk to the venues: one process per account, its wire protocol, its drivers."""
