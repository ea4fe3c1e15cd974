"""What is on the screen: the lab, the list of kept runs, and the windows over them."""
