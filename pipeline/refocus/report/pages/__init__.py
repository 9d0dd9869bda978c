"""The report in a browser: a page of results and a gallery of questions, one folder that needs nothing from outside."""
