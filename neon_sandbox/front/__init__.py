"""Neon's proxy: one port for all endpoints, TLS, told apart by host name; wakes computes and shows the past."""
