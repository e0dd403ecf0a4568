"""How Atlas is seen: logs, traces, the catalogue of their names. Imports nothing of ours."""
