"""`python -m quarterdeck.app.cli`: the command without its script."""

from quarterdeck.app.cli import main

main()
