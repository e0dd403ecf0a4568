"""What is done to one item, a file a stage; stages know nothing of each other."""
