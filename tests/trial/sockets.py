"""Ending connections from outside: the sockets of any process of ours, without a word to it.

A socket of another process is had by Linux's `pidfd_getfd`, which any user may use on own child processes; shutting that
duplicate down ends the connection for both of its ends, as a cable that is pulled and a router that resets would. Elsewhere
only this process's own connections, those of its clients, can be cut.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import socket
import sys
from collections.abc import Callable
from typing import Any

import psutil

__all__ = ["cut"]

_PIDFD_GETFD = 438  # the same number on all of Linux's architectures


def cut(pid: int, chance: random.Random, spared: Callable[[Any], bool]) -> int:
    """End some or all of a process's TCP connections, but for those that are `spared`; returns how many."""
    try:
        found = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return 0  # it has just ended
    open_ones = [each for each in found if each.status == psutil.CONN_ESTABLISHED and not spared(each)]
    chosen = open_ones if chance.random() < 0.5 else [each for each in open_ones if chance.random() < 0.3]
    return sum(_shut(pid, each) for each in chosen)


def _shut(pid: int, connection: Any) -> bool:
    fd = os.dup(connection.fd) if pid == os.getpid() else _borrowed(pid, connection.fd)
    if fd < 0:
        return False
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        os.close(fd)
        return False  # the number belongs to something else by now
    with sock, contextlib.suppress(OSError):  # it may end by itself meanwhile
        if sock.getpeername()[:2] == tuple(connection.raddr):
            sock.shutdown(socket.SHUT_RDWR)
            return True
    return False


def _borrowed(pid: int, fd: int) -> int:
    """A duplicate of another process's file descriptor, -1 where the system does not give one."""
    if sys.platform != "linux":
        return -1
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return -1
    try:
        return int(ctypes.CDLL(None).syscall(_PIDFD_GETFD, process, fd, 0))
    finally:
        os.close(process)
