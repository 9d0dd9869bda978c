"""The page of `refocus serve`: what several selectors pick of one video, side by side."""
