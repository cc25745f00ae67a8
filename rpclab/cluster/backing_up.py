"""Backing up all that a cluster's clients have, with a bar that shows how far it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from ..errors import NoSuchFile, TooFewCopies
from .remote_client import RemoteClient
from .tables import Receipts

__all__ = ["backup_all"]


def backup_all(clients: Iterable[RemoteClient], *, progress: bool = True) -> Receipts:
    """Have every client back up every file in its folder. See `LocalCluster.backup_all`."""
    from tqdm.auto import tqdm

    clients = list(clients)
    work = [(client, name, size) for client in clients for name, size in client.distinct_files().items()]
    if not work:
        folders = " or ".join(str(client.folder) for client in clients) or "a client's folder"
        raise NoSuchFile(f"there is nothing to back up: put files into {folders}, or run `rpclab demo` for samples")
    receipts = Receipts()
    total = sum(size for _, _, size in work)
    with tqdm(total=total, unit="B", unit_scale=True, unit_divisor=1024, disable=not progress) as bar:
        for client, name, size in work:
            bar.set_postfix_str(f"{client.name}/{name}"[-30:], refresh=False)
            try:
                receipts.append(client.backup(name))
            except TooFewCopies as error:
                receipts.append(error.receipt)
            bar.update(size)
    _warn(receipts)
    return receipts


def _warn(receipts: Receipts) -> None:
    if receipts.short:
        first = receipts.short[0]
        warnings.warn(
            f"{len(receipts.short)} of {len(receipts)} files have fewer copies than wanted, {first.file.name!r} has "
            f"{first.copies} of {first.wanted}: {'; '.join(first.problems)}",
            stacklevel=4,
        )
