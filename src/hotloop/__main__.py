"""`python -m hotloop`: the command line."""

from hotloop.cli.app import main

main()
