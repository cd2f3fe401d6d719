"""Our own icons: strokes on a grid of 16, drawn with the colour of the text around them."""
# ruff: noqa: E501

from __future__ import annotations

ICONS = {
    # A ring that closes on a marked moment: going back to a point in time.
    "brand": '<path d="M3.2 8a4.8 4.8 0 1 1 1.5 3.5"/><path d="M3 4.4V8h3.4"/><circle cx="8" cy="8" r="1.1"/>',
    "check": '<path d="m3 8.5 3.4 3.3L13 4.8"/>',
    "cross": '<path d="m4 4 8 8M12 4l-8 8"/>',
    "warning": '<path d="M8 2.2 14.3 13.4H1.7z"/><path d="M8 6.4v3.2M8 11.6v.1"/>',
    "question": '<circle cx="8" cy="8" r="6"/><path d="M6.2 6.3A1.9 1.9 0 1 1 8.4 8.3c-.3.2-.4.5-.4 1M8 11.4v.1"/>',
    "info": '<circle cx="8" cy="8" r="6"/><path d="M8 7.4v3.8M8 4.9V5"/>',
    "lock": '<rect x="3.5" y="7" width="9" height="6.5" rx="1.2"/><path d="M5.5 7V5.2a2.5 2.5 0 0 1 5 0V7"/>',
    "clock": '<circle cx="8" cy="8" r="6"/><path d="M8 4.7V8l2.3 1.5"/>',
    "down": '<path d="m4 6 4 4 4-4"/>',
    "right": '<path d="m6 4 4 4-4 4"/>',
    "left": '<path d="m10 4-4 4 4 4"/>',
    "menu": '<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/>',
    "person": '<circle cx="8" cy="5.3" r="2.6"/><path d="M2.9 13.6c.6-2.6 2.5-4 5.1-4s4.5 1.4 5.1 4"/>',
    "eye": '<path d="M1.7 8S4 3.8 8 3.8 14.3 8 14.3 8 12 12.2 8 12.2 1.7 8 1.7 8z"/><circle cx="8" cy="8" r="1.9"/>',
    "undo": '<path d="M3 6.2h6.2a3.6 3.6 0 0 1 0 7.2H6"/><path d="M5.8 3.2 2.8 6.2l3 3"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1.2"/><path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
    "branch": '<circle cx="4.5" cy="3.6" r="1.6"/><circle cx="4.5" cy="12.4" r="1.6"/><circle cx="11.5" cy="5.6" r="1.6"/><path d="M4.5 5.2v5.6M11.5 7.2c0 2.6-7 1.4-7 3.6"/>',
    "heart": '<path d="M8 13.2S2.3 9.9 2.3 6.1A2.9 2.9 0 0 1 8 5.2a2.9 2.9 0 0 1 5.7.9C13.7 9.9 8 13.2 8 13.2z"/><path d="M4.6 8h1.9l1-2 1.2 3.2L9.6 8h1.9"/>',
    "dot": '<circle cx="8" cy="8" r="2"/>',
    "sun": '<circle cx="8" cy="8" r="2.8"/><path d="M8 1.6v1.5M8 12.9v1.5M1.6 8h1.5M12.9 8h1.5M3.5 3.5l1 1M11.5 11.5l1 1M12.5 3.5l-1 1M4.5 11.5l-1 1"/>',
    "link": '<path d="M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2A2.6 2.6 0 0 0 9 3.3l-.9.9"/><path d="M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9A2.6 2.6 0 0 0 7 12.7l.9-.9"/>',
    "pause": '<path d="M5.5 4v8M10.5 4v8"/>',
    "play": '<path d="M5 3.4 12.4 8 5 12.6z"/>',
}
