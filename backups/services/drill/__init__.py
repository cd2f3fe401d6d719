"""Drills by the portal itself: their plans, when they begin, and what comes of them."""
