"""What can be told from a page's markup alone: what a browser would carry out, and what hinders people."""

from html.parser import HTMLParser

__all__ = ["faults_in", "orders_in"]

FIELDS = ("input", "select", "textarea")
UNNAMED_TYPES = ("hidden", "submit", "button")
VOID = ("input", "img", "br", "link", "meta", "hr", "col", "path", "line", "rect", "circle", "source", "wbr")
PRESSED = ("a", "button", "summary")


class _Reader(HTMLParser):
    """Walks one page and gathers what hinders people."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.unlabelled: list[tuple[str, str]] = []
        self.labels_for: set[str] = set()
        self.heading = 0
        self.open: list[list[str]] = []
        """Open elements, each with its tag and whatever names it."""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attributes}
        self.ids += [said["id"]] if "id" in said else []
        for reference in ("aria-labelledby", "aria-describedby", "aria-controls"):
            self.named += said.get(reference, "").split()
        name = said.get("aria-label", "") or said.get("aria-labelledby", "") or said.get("title", "")
        is_within_label = any(tag_open == "label" for tag_open, *_ in self.open)
        if tag in FIELDS and said.get("type") not in UNNAMED_TYPES and not name and not is_within_label:
            self.unlabelled.append((said.get("id", ""), f"<{tag} name={said.get('name')}>"))
        if tag == "label" and "for" in said:
            self.labels_for.add(said["for"])
        if tag in PRESSED and any(tag_open in PRESSED for tag_open, *_ in self.open):
            self.faults.append(f"<{tag}> within another that is pressed")
        if tag == "form" and any(tag_open == "form" for tag_open, *_ in self.open):
            self.faults.append("a form within a form")
        if tag == "img" and "alt" not in said:
            self.faults.append(f"no alt: <img src={said.get('src', '')[:60]}>")
        if tag in ("h1", "h2", "h3", "h4"):
            level = int(tag[1])
            if self.heading and level > self.heading + 1:
                self.faults.append(f"h{self.heading} is followed by {tag}")
            self.heading = level
        if tag == "html" and not said.get("lang"):
            self.faults.append("no language")
        if tag not in VOID:
            self.open.append([tag, name])

    def handle_data(self, data: str) -> None:
        if data.strip():
            for element in self.open:
                element.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        while self.open:
            closed, *names = self.open.pop()
            if closed in ("a", "button", "th", "summary", "legend", "title") and not any(names) and closed != "th":
                self.faults.append(f"<{closed}> without a name")
            if closed == tag:
                return


def faults_in(page: str) -> list[str]:
    """Return what is at fault with a page's markup, nothing where all is well."""
    reader = _Reader()
    reader.feed(page)
    twice = {name for name in reader.ids if reader.ids.count(name) > 1}
    unlabelled = [what for field_id, what in reader.unlabelled if not field_id or field_id not in reader.labels_for]
    lost = sorted({name for name in reader.named if name not in reader.ids})
    return [
        *reader.faults,
        *(f"id {name} stands twice" for name in sorted(twice)),
        *(f"no label: {what}" for what in unlabelled),
        *(f"nothing has the id {name}" for name in lost),
    ]


class _Orders(HTMLParser):
    """Gathers what a browser would carry out: scripts in the page, handlers, addresses that are scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_script = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._is_script = tag == "script"
        for name, value in attributes:
            if name.startswith("on") or (value or "").strip().lower().startswith(("javascript:", "data:text")):
                self.found.append(f"<{tag} {name}={value}>")

    def handle_data(self, data: str) -> None:
        if self._is_script and data.strip():
            self.found.append(data)

    def handle_endtag(self, _tag: str) -> None:
        self._is_script = False


def orders_in(text: str) -> list[str]:
    """Return what a browser would carry out that no page of ours has: scripts in the page, handlers."""
    reader = _Orders()
    reader.feed(text)
    return reader.found
