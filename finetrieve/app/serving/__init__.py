"""The HTTP server of `ask --serve`: the search page and a JSON API for the version in production."""
