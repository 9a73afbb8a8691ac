"""Everything that is not markup already is escaped, and tables and figures are built for screen readers."""

from screening.page.markup import Markup, definition_list, figure, paragraphs, table, tag, together


def test_everything_but_markup_is_escaped():
    assert tag("p", "<b>", Markup("<i>x</i>"), None, 3) == "<p>&lt;b&gt;<i>x</i>3</p>"
    assert tag("a", "x", href='"><script>') == '<a href="&#34;&gt;&lt;script&gt;">x</a>'
    assert tag("a", href=Markup('"><b>')) == '<a href="&#34;&gt;&lt;b&gt;"></a>', "an attribute is text, whatever it was"
    assert tag("rect", x=0.0, y=1.239, hidden=None, rx=0) == '<rect x="0" y="1.24" rx="0"></rect>'
    assert together(["<", ["&", Markup("<br>")]]) == "&lt;&amp;<br>"
    assert tag("b") + "<" == "<b></b>&lt;", "also what is added later"


def test_tables_have_heads_for_rows_and_columns():
    markup = table(["name", "n"], [("<a>", 1)], caption="c")
    assert '<th scope="col" class="number">n</th>' in markup
    assert '<th scope="row" class="text">&lt;a&gt;</th><td class="number">1</td>' in markup
    assert figure(Markup("<svg></svg>"), "c", markup).count("<summary>") == 1


def test_texts_become_paragraphs_and_names_a_list():
    assert paragraphs("a & b", None, tag("b", "c")) == "<p>a &amp; b</p><p><b>c</b></p>"
    assert definition_list([("n", 1.5), ("<", None)]) == "<dl><dt>n</dt><dd>1.5</dd><dt>&lt;</dt><dd></dd></dl>"
