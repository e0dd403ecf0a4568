"""The pages of the sample site: prose, templates, and what must become of each."""
