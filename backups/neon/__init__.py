"""Client for Neon's API v2. Start at `client.NeonClient`; no Django in here."""
