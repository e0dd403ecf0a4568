"""A seeded world in which Atlas lives for a month of simulated days: `just simulate --seeds 20`."""
