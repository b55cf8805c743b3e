"""Shared by the benchmarks: processes and their cost, the users in the databases, the contestants."""
