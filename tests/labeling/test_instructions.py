"""Instructions: Markdown that can do no harm, every version kept, and questions to begin with."""

from html.parser import HTMLParser

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from labeling import projects, prompts, prose
from tests import factories

TAGS = {
    "p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "s", "code", "pre", "a", "img",
    "blockquote", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"href", "title", "rel", "target", "src", "alt", "start", "class"}
HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "](javascript:alert(1))",
    "](data:text/html,x)",
]
MARKUP = [
    *"#*_`<>[]()!|-~&\\\"' \n",
    "javascript:",
    "data:",
    "http://a.b",
    "](",
    "![a](",
    "onload=",
    *HARMFUL,
]


class Seen(HTMLParser):
    """The tags and addresses of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


@given(st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=5)), max_size=30).map("".join))
def test_whatever_is_written_no_tag_or_address_does_harm(text: str) -> None:
    seen = Seen(prose.render(text))
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    for address in seen.addresses:
        assert prose.is_harmless(address), address
        assert not address.lower().startswith(("javascript:", "data:text"))


@pytest.mark.parametrize("text", HARMFUL)
def test_html_shows_as_it_was_typed(text: str) -> None:
    assert Seen(prose.render(f"[a{text}")).tags <= {"p"}


def test_pictures_come_with_the_text_and_those_of_other_sites_are_links() -> None:
    own, other = (
        prose.render("![a](data:image/png;base64,AAAA)"),
        prose.render("![a dog](https://example.com/dog.png)"),
    )
    assert '<img src="data:image/png;base64,AAAA" alt="a"' in own
    assert Seen(other).tags == {"p", "a"}
    assert ">a dog</a>" in other


def test_texts_from_before_there_was_markdown_keep_their_lines() -> None:
    assert prose.render("Circles first.\nThen squares.") == "<p>Circles first.<br />\nThen squares.</p>\n"


@pytest.mark.django_db
def test_the_template_asks_by_the_projects_classes_and_how_to_draw(manager, project) -> None:
    assert "- **circle**" in prompts.template(project)
    assert "How to draw" not in prompts.template(project)
    drawing = factories.make_project(manager=manager, task_type="detection")
    assert "Partly covered" in prompts.template(drawing)


@pytest.mark.django_db
def test_a_version_is_previewed_saved_read_and_restored(client, project, manager, labeler) -> None:
    client.force_login(manager)
    url = reverse("settings-instructions", args=[project.pk])
    written = {"text": "## Round\n\n- a **circle**", "link": "https://example.com/more"}
    preview = client.post(
        reverse("instructions-preview", args=[project.pk]), written, headers={"HX-Request": "true"}
    )
    assert "<h3>Round</h3>" in preview.content.decode()
    added = client.post(reverse("instructions-template", args=[project.pk]), written).content.decode()
    assert "a **circle**\n\n## What to label" in added
    assert project.instructions.count() == 1
    client.post(url, written)
    client.force_login(labeler)
    page = client.get(reverse("label", args=[project.pk])).content.decode()
    assert "<li>a <strong>circle</strong></li>" in page
    assert 'href="https://example.com/more"' in page
    client.force_login(manager)
    client.post(reverse("instructions-restore", args=[project.pk, 1]))
    newest = project.instructions.first()
    assert (newest.version, newest.text, newest.link) == (3, "Name the shape.", "")


@pytest.mark.django_db
def test_another_link_is_another_version(project, manager) -> None:
    same = projects.set_instructions(project, "Name the shape.", manager)
    other = projects.set_instructions(project, "Name the shape.", manager, link="https://example.com/")
    assert (same.version, other.version) == (1, 2)
