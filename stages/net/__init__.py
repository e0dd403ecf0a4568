"""The only way out to the network: guarded, bounded and paced."""
