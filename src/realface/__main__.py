"""`python -m realface`, for launchers that start modules: `torchrun -m realface train ...`."""

from realface.cli.main import main

if __name__ == "__main__":
    main()
