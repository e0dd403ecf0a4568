"""Getting a page elsewhere: one file a provider, asked one after the other by stages.acquire."""
