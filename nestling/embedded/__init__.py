"""Real servers out of wheels, for laptops, demos and tests. Production sets DATABASE_URL and REDIS_URL instead."""
