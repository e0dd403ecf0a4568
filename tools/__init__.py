"""The launcher, the sample site and the benches: run, never imported by Atlas itself."""
