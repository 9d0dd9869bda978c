"""Answering benchmark questions from picked frames, scoring the answers, and the tables made of them."""
