"""Instructions: Markdown that can do no harm, every version kept, and questions to begin with."""

import hashlib
import io
from html.parser import HTMLParser

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from labeling import illustrations, projects, prompts, prose
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


def shown_on(client, project) -> list[str]:
    return Seen(client.get(reverse("label", args=[project.pk])).content.decode()).addresses


@pytest.mark.django_db
def test_a_picture_is_kept_without_what_its_file_says(project, manager) -> None:
    """A photo from a phone lies on its side and says where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn it to the right
    exif[0x010E] = "our secret hall"
    data = factories.picture_file((2_000, 1_000), "JPEG", exif=exif)
    picture = illustrations.add(project, data, "C:\\photos\\[hall] *A*.jpg", manager)
    kept = illustrations.stored(picture)
    image = Image.open(io.BytesIO(kept))
    assert (image.format, image.size, picture.name) == ("WEBP", (800, 1_600), "hall A")
    assert b"secret" not in kept
    assert not image.getexif()
    assert picture.sha256 == hashlib.sha256(kept).hexdigest()
    assert illustrations.add(project, data, "again.jpg", manager).pk == picture.pk


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "JPEG"])
def test_pictures_of_common_kinds_are_taken(project, manager, kind) -> None:
    picture = illustrations.add(project, factories.picture_file(kind=kind), "a", manager)
    assert (picture.width, picture.height) == (48, 32)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG, WebP or GIF"),
        (factories.picture_file(kind="TIFF"), "not a PNG, JPEG, WebP or GIF"),
        (factories.picture_file((400, 400), "JPEG")[:-900], "damaged"),
        (b"x" * (illustrations.MAX_BYTES + 1), "a picture may have 8 MB"),
        (b"", "not a PNG, JPEG, WebP or GIF"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(api, project, manager, data, sentence) -> None:
    file = SimpleUploadedFile("a.png", data, "image/png")
    response = api(manager).post(f"/api/projects/{project.pk}/instructions/pictures/", {"file": file})
    assert response.status_code == 400
    assert project.instruction_pictures.count() == 0
    with pytest.raises(illustrations.PictureRefused, match=sentence):
        illustrations.add(project, data, "a.png", manager)


@pytest.mark.django_db
def test_a_picture_shows_in_its_project_and_to_members_alone(
    client, api, project, manager, outsider, labeler
) -> None:
    url = f"/api/projects/{project.pk}/instructions/"
    file = SimpleUploadedFile("a dog.png", factories.picture_file(), "image/png")
    added = api(manager).post(f"{url}pictures/", {"file": file}).json()
    assert added["markdown"] == f"![a dog]({added['image']})"
    assert [each["name"] for each in api(manager).get(f"{url}pictures/").json()["results"]] == ["a dog"]
    written = api(manager).put(url, {"text": f"As here:\n{added['markdown']}"}, format="json").json()
    assert written["version"] == 2
    client.force_login(labeler)
    assert added["image"] in shown_on(client, project)
    sent = client.get(added["image"])
    assert (sent.headers["Content-Type"], sent.headers["X-Content-Type-Options"]) == ("image/webp", "nosniff")
    assert "immutable" in sent.headers["Cache-Control"]
    client.force_login(outsider)
    assert client.get(added["image"]).status_code == 404
    other = factories.make_project(manager=outsider)
    projects.set_instructions(other, added["markdown"], outsider)
    elsewhere = added["image"].replace(f"/{project.pk}/", f"/{other.pk}/", 1)
    assert client.get(elsewhere).status_code == 404
    assert "<img" not in prose.render(added["markdown"], other.pk)


@pytest.mark.django_db
def test_without_a_script_pictures_are_added_below_the_text(client, project, manager) -> None:
    client.force_login(manager)
    url = reverse("instructions-pictures", args=[project.pk])
    files = [
        SimpleUploadedFile("good.gif", factories.picture_file(kind="GIF")),
        SimpleUploadedFile("bad.gif", b"nothing"),
    ]
    answer = client.post(url, {"text": "What I typed", "pictures": files}).content.decode()
    picture = project.instruction_pictures.get()
    assert f"What I typed\n\n{illustrations.markdown(picture)}" in answer
    assert "bad.gif: This is not a PNG, JPEG, WebP or GIF picture." in answer
    assert project.instructions.count() == 1
    assert "Choose a picture first." in client.post(url, {"text": "x"}).content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/sign-out/",
        f"/projects/1/instructions/pictures/{'a' * 64}/../../../",
        f"/projects/2/instructions/pictures/{'a' * 64}/",
        f"//projects/1/instructions/pictures/{'a' * 64}/",
        f"/projects/1/instructions/pictures/{'a' * 63}/",
    ],
)
def test_other_addresses_of_loupe_are_fetched_by_nobody(address: str) -> None:
    assert Seen(prose.render(f"![x]({address})", 1)).tags == {"p", "a"}
