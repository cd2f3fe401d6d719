"""The monitor: reads Neon, compares, and keeps findings. It changes nothing at Neon."""
