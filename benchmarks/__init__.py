"""Benchmarks: each figure is a ratio to a peer that was measured in the same run. Run ``python -m benchmarks``.

    echo          calls on one connection and one core: bare sockets, the document's JSON, Pyro5, RPyC, xmlrpc, gRPC
    transfer      a 1 GiB file on a memory disk: a plain loop; and the peak memory of each process
    small_files   4 KiB files, two durable copies: a local loop, two syncs a copy (ours makes three)
    startup       from cold to ready and to stopped: dask, ipyparallel, bare processes
    placement     choosing a server among 100,000: its limit

Rounds are interleaved (A B C, A B C, ...), the ratio is taken round by round; the table shows its median, lowest and
highest. Absolute figures say little: this machine, this hour. `ours.py` is all that knows rpclab's interface.
"""

__all__: list[str] = []
