"""`python -m trivium`."""

from trivium.cli import main

if __name__ == "__main__":
    main()
