"""What is missing or broken: in the data before anything runs, in results afterwards."""
