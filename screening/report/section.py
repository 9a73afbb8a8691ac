"""A section of the report, and what stands there where it has nothing to say."""

from dataclasses import dataclass

from screening.report.facts import Facts
from screening.report.markup import Child, Markup, tag, together

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


def why_nothing(facts: Facts, *, reference: bool = True) -> Markup | None:
    """Return why a section that needs answers (and a reference table) is empty; None where it is not."""
    if facts.scope is None:
        return empty("Empty, because nothing was screened yet: the results hold no rows.")
    if reference and not facts.has_reference:
        return empty("Empty, because no RT-PCR results were given: write the report with --reference FILE.")
    return None


def notice(*words: Child) -> Markup:
    """Return a warning that is set apart."""
    return tag("p", together(words), class_="notice")
