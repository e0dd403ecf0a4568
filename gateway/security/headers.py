"""The headers that every response carries, whoever made it."""

from __future__ import annotations

from typing import Final

# No script at all: the pages need none, so injected ones do not run either.
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
# Stored pages of others: opened directly they are sandboxed and load nothing.
STORED_POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"

# Pages soften Referrer-Policy for themselves to same-origin (templates/base.html): under no-referrer browsers send
# "Origin: null" with our own forms, and over plain http on a home network that header is the only proof of origin.
SECURITY: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
