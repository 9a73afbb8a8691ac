"""A section of the report, and what stands there where it has nothing to say."""

from dataclasses import dataclass

from screening.page.markup import Child, Markup, tag, together

PERSON_UNIT = "Unit of analysis: the person, by the highest score of the verified radiographs."


@dataclass(frozen=True)
class Section:
    """One section: `items` are the numbers of STARD 2015 that it answers."""

    name: str  # its id in the page
    title: str
    items: str
    body: Markup

    def markup(self) -> Markup:
        """Return the section as HTML."""
        numbers = tag("span", f"STARD {self.items}", class_="item") if self.items else None
        return tag(
            "section",
            tag("h2", self.title, numbers, id=f"{self.name}-title"),
            self.body,
            id=self.name,
            aria_labelledby=f"{self.name}-title",
        )


def empty(reason: Child) -> Markup:
    """Return why a section is empty."""
    return tag("p", reason, class_="empty")


def notice(*words: Child) -> Markup:
    """Return a warning that is set apart."""
    return tag("p", together(words), class_="notice")
