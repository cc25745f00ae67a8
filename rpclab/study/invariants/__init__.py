"""The six invariants, a module each: `judge(run)` returns what is to be said of one."""
