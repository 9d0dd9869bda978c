"""`refocus doctor`: what is missing, unreadable or suspicious, before anything runs."""
