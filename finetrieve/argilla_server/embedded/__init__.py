"""What runs inside the Argilla server's own environment: `python -m embedded HOME PORT`.

Nothing here may import from the rest of Finetrieve: only argilla_server, what it depends on, and the standard library.
"""
