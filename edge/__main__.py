"""`python -m edge` is the console script `edge`."""

from edge.cli.main import main

main()
