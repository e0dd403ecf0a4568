"""What lives and dies: processes, configuration, the command line; the only place where things are wired together."""
