"""Pages as a browser has them: forms with what their inputs hold, sent the way a browser sends them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client

BUTTONS = {"submit", "button", "image", "reset"}
ONE_LINE_TYPES = {"text", "search", "number", "url", "email", "password", "hidden"}


class _Parser(HTMLParser):
    """Collects forms by id: each a list of (name, value) as a browser would send it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: dict[str, list[tuple[str, str]]] = {}
        self.actions: dict[str, str] = {}
        self.texts: list[str] = []
        self._form = ""
        self._area: str | None = None
        self._text: list[str] = []
        self._select = ""
        self._chosen: list[str] = []
        self._options: list[str] = []
        self._multiple = False
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value if value is not None else "" for name, value in attrs}
        if tag in ("script", "style"):
            self._skip += 1
        if tag == "form":
            self._form = given.get("id", "") or f"form {len(self.forms) + 1}"
            self.forms.setdefault(self._form, [])
        if not self._form:
            return
        name = given.get("name", "")
        if tag == "input" and name and "disabled" not in given:
            self._input(name, given)
        elif tag == "textarea":
            self._area, self._text = name, []
        elif tag == "select":
            self._select, self._chosen, self._options = name, [], []
            self._multiple = "multiple" in given
        elif tag == "option" and self._select:
            self._options.append(given.get("value", ""))
            if "selected" in given:
                self._chosen.append(given.get("value", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._skip -= 1
        if tag == "form":
            self._form = ""
        elif tag == "textarea" and self._area is not None:
            # The first line break after the tag does not count; line breaks are sent as CR LF.
            text = re.sub(r"\r\n?", "\n", "".join(self._text))
            self._add(self._area, text.removeprefix("\n").replace("\n", "\r\n"))
            self._area = None
        elif tag == "select" and self._select:
            chosen = self._chosen or ([] if self._multiple else self._options[:1])
            for value in chosen if self._multiple else chosen[-1:]:
                self._add(self._select, value)
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._text.append(data)
        elif not self._skip and data.strip():
            self.texts.append(data)

    def _input(self, name: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind in BUTTONS or kind == "file":
            return
        if kind in ("checkbox", "radio"):
            if "checked" in given:
                self._add(name, given.get("value", "on"))
            return
        self._add(name, re.sub(r"[\r\n]", "", given.get("value", "")))

    def _add(self, name: str, value: str) -> None:
        self.forms[self._form].append((name, value))


class Page:
    """A page that was fetched, or the answer to something that was sent."""

    def __init__(self, client: Client, url: str, response: Any = None) -> None:
        self.client, self.url = client, url
        self.response = client.get(url) if response is None else response
        assert self.response.status_code == 200, (url, self.response.status_code)
        self.html = self.response.content.decode()
        self._parser = _Parser()
        self._parser.feed(self.html)
        self._parser.close()

    @property
    def text(self) -> str:
        """The text that is read, white space folded."""
        return " ".join(" ".join(self._parser.texts).split())

    def form(self, form_id: str) -> Form:
        """Return a form by its id."""
        return Form(self.client, self.url, self._parser.forms[form_id])


class Form:
    """A form as it was loaded, to be changed and sent."""

    def __init__(self, client: Client, url: str, data: list[tuple[str, str]]) -> None:
        self.client, self.url = client, url
        self.data: dict[str, Any] = {}
        for name, value in data:
            self.data.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        """Return what an input holds."""
        value: str = self.data[name][-1] if name in self.data else ""
        return value

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def fill(self, **changes: Any) -> Form:
        """Fill in inputs: texts, lists of texts, files, or None to clear."""
        for name, value in changes.items():
            if value is None:
                self.data.pop(name, None)
            else:
                self.data[name] = value if isinstance(value, list) else [value]
        return self

    def add_row(self, prefix: str, **values: Any) -> Form:
        """Add a row to an inline as its button does, and fill it in."""
        total = int(self[f"{prefix}-TOTAL_FORMS"])
        for name in [name for name in self.data if name.startswith(f"{prefix}-__prefix__-")]:
            self.data[name.replace("__prefix__", str(total))] = list(self.data[name])
        self.fill(**{f"{prefix}-{total}-{name}": value for name, value in values.items()})
        return self.fill(**{f"{prefix}-TOTAL_FORMS": str(total + 1)})

    def send(self, button: str = "_save", **changes: Any) -> Any:
        """Press a button; returns the answer, redirects not followed."""
        self.fill(**changes)
        return self.client.post(self.url, {**self.data, button: "1"})

    def errors(self, button: str = "_save", **changes: Any) -> str:
        """Press a button that must not work; returns the text of the page that comes back."""
        response = self.send(button, **changes)
        assert response.status_code == 200, response.status_code
        parser = _Parser()
        parser.feed(response.content.decode())
        return " ".join(" ".join(parser.texts).split())


def messages(response: Any) -> list[str]:
    """Return the messages that the next page shows."""
    from django.contrib.messages import get_messages

    return [str(message) for message in get_messages(response.wsgi_request)]
