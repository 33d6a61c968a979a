"""PostgreSQL: the desk's only durable memory, from the server process up to the queries."""
