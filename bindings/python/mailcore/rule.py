"""Rules in Lua, checked and tried without a server."""
from __future__ import annotations

import json
import os
import pathlib
from dataclasses import dataclass
from typing import Any, Self

from ._library import ask, encoded


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule did to a message."""

    verdict: str  # "continue": taken and delivered as usual
    steps: list[dict[str, Any]]  # each function asked: rule, stage, verdict, code, text, error, edits, said ...
    header_changes: list[str]  # "+ X-Spam: yes", "- Subject: ..."
    appended_text: str

    @property
    def errors(self) -> list[str]:
        """Why rules failed; empty: none did."""
        return [step["error"] for step in self.steps if step["error"]]


class Rule:
    """A rule, by its text. `lists` are what `mail.list` finds: file names and their texts."""

    def __init__(self, text: str, *, name: str = "rule.lua", lists: dict[str, str] | None = None) -> None:
        self._fields: dict[str, Any] = {"rule": text, "name": name, "lists": lists or {}}

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """The rule in a file, with the lists (*.txt) beside it."""
        file = pathlib.Path(path)
        lists = {each.name: each.read_text("utf-8") for each in sorted(file.parent.glob("*.txt"))}
        return cls(file.read_text("utf-8"), name=file.name, lists=lists)

    def problems(self) -> list[str]:
        """What is wrong with it, with file and line; empty: it is in order."""
        return ask("mailcore_rule_check", encoded(json.dumps(self._fields)))["problems"]

    def test(self, message: bytes | str, *, sender: str = "", recipients: list[str] | None = None,
             ip: str = "192.0.2.1", helo: str = "", account: str = "", records: list[str] | None = None) -> Trial:
        """What it would do to a message. Sender and recipients are those of the header if none are given; `records`
        is all that the DNS says, as "1.2.0.192.list.test A 127.0.0.2". Raises Rejected if the rule is wrong."""
        octets = message.encode("utf-8") if isinstance(message, str) else message
        request = self._fields | {"sender": sender, "recipients": recipients or [], "ip": ip, "helo": helo,
                                  "account": account, "records": records or []}
        answer = ask("mailcore_rule_try", encoded(json.dumps(request)), octets, len(octets))
        return Trial(answer["verdict"], answer["steps"], answer["header_changes"], answer["appended_text"])
