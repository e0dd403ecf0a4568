"""Atlas as a system service: install, deploy and remove it. Run as root, with any Python 3.11 and its library alone."""
