"""`python -m leansort`."""

from leansort.cli import main

main()
