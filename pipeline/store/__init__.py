"""The only SQL: one writing connection with group commit, short readers, everything by lease token."""
