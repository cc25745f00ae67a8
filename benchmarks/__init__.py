"""Benchmarks: each figure is a ratio to a peer measured in the same run. Run ``python -m benchmarks``."""

__all__: list[str] = []
