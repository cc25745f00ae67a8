"""`python -m rpclab`: the same as the command `rpclab`."""

from .commands import main

if __name__ == "__main__":
    main()
