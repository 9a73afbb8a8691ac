"""Sections: a heading that names them, the numbers of STARD that they answer, and what stands where there is nothing to say."""

from screening.page.markup import tag
from screening.page.section import Section, empty, notice


def test_a_section_is_named_by_its_heading() -> None:
    markup = Section("flow", "Flow & losses", "19", tag("p", "text")).markup()
    assert markup == (
        '<section id="flow" aria-labelledby="flow-title"><h2 id="flow-title">Flow &amp; losses<span class="item">STARD 19</span></h2>'
        "<p>text</p></section>"
    )


def test_a_section_that_answers_no_item_says_none() -> None:
    assert "STARD" not in Section("gallery", "Gallery", "", tag("p", "text")).markup()


def test_an_empty_section_and_a_notice_say_why_and_escape_it() -> None:
    assert empty("no <rows>") == '<p class="empty">no &lt;rows&gt;</p>'
    assert notice("few", " & ", tag("b", "small")) == '<p class="notice">few &amp; <b>small</b></p>'
