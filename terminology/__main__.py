"""``python -m terminology``: the command line."""

from terminology.cli import main

if __name__ == "__main__":
    main(program="python -m terminology")
