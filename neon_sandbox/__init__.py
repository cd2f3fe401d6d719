"""A local Neon: Neon's API v2 on loopback, over real PostgreSQL clusters."""
