"""What moves and how: items, their lifecycle, the durable queue, channels, actors and the store."""
