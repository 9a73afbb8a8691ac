"""HTML and SVG from Python: everything that is not markup already is escaped, so that no value of a table can become markup.

`Markup`, of MarkupSafe, is text that is HTML or SVG already. It escapes what is joined to it, also by `+`: put it into an f-string to get
plain text with other text around it.
"""

from collections.abc import Iterable

from markupsafe import Markup, escape

__all__ = ["Child", "Markup", "definition_list", "figure", "paragraphs", "table", "tag", "together"]

Child = object  # Markup is kept, None is left out, everything else is escaped text

_VOID = ("meta", "link", "br", "img", "hr")
_OWN_SPELLING = {"class_": "class", "for_": "for", "viewBox": "viewBox", "preserveAspectRatio": "preserveAspectRatio"}


def tag(element: str, /, *children: Child, **attributes: object) -> Markup:
    """Return one element. In attribute names `_` stands for `-` and one at the end is dropped; None and False leave an attribute out."""
    given = ((key, value) for key, value in attributes.items() if value is not None and value is not False)
    opening = element + "".join(f' {_attribute(key)}="{escape(_text(value))}"' for key, value in given)
    if element in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{together(children)}</{element}>")


def together(children: Iterable[Child]) -> Markup:
    """Return children one after the other, those of nested lists too."""
    return Markup().join(map(_piece, children))


def paragraphs(*texts: Child) -> Markup:
    """Return each text in a paragraph of its own; None is left out."""
    return together(tag("p", text) for text in texts if text is not None)


def definition_list(pairs: Iterable[tuple[Child, Child]]) -> Markup:
    """Return names with what they stand for."""
    return tag("dl", *((tag("dt", name), tag("dd", value)) for name, value in pairs))


def table(head: list[str], rows: Iterable[Iterable[Child]], *, caption: str, text_columns: int = 1) -> Markup:
    """Return a table with a caption; the first column heads its row, the first `text_columns` are set left and the others right."""
    kinds = ["text" if column < text_columns else "number" for column in range(len(head))]
    header = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(head, kinds, strict=True)))
    body = [tag("tr", *(_cell(column, cell, kinds[column]) for column, cell in enumerate(row))) for row in rows]
    scrolled = tag("table", tag("caption", caption), tag("thead", header), tag("tbody", *body))
    return scrolling(scrolled, caption)


def scrolling(wide: Child, name: Child, *, kind: str = "table") -> Markup:
    """Return what may be wider than the window in a field of its own, which the keyboard reaches, too, and a screen reader names."""
    return tag("div", wide, class_=f"scroll {kind}", tabindex="0", role="group", aria_label=name)


def figure(chart: Markup, caption: Child, numbers: Markup) -> Markup:
    """Return a chart with its caption, and its numbers to unfold."""
    details = tag("details", tag("summary", "The numbers"), numbers)
    return tag("figure", chart, tag("figcaption", caption), details)


def _cell(column: int, cell: Child, kind: str) -> Markup:
    return tag("th", cell, scope="row", class_=kind) if column == 0 else tag("td", cell, class_=kind)


def _piece(child: Child) -> Markup:
    if child is None:
        return Markup()
    if isinstance(child, list | tuple):
        return together(child)
    return child if isinstance(child, Markup) else escape(_text(child))


def _attribute(key: str) -> str:
    return _OWN_SPELLING.get(key, key.rstrip("_").replace("_", "-"))


def _text(value: object) -> str:
    """Return numbers short: coordinates need no more than hundredths of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
