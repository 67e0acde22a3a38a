"""The MIME parser alone."""
from __future__ import annotations

from typing import Any

from ._library import ask


def parse(octets: bytes, *, text_octets_max: int = 1024 * 1024) -> dict[str, Any]:
    """A message as a tree of its parts: what mailcore.h says of mailcore_mime_json. Any octets are a message; texts
    beyond `text_octets_max` octets of UTF-8 are cut."""
    return ask("mailcore_mime_json", octets, len(octets), text_octets_max)
