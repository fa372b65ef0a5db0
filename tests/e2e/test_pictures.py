"""Pictures in instructions, from the clipboard and from a file, until a labeler sees them."""

from playwright.sync_api import expect

from tests import factories

PASTE = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([blob], "pasted.png", { type: "image/png" }));
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.querySelector("#instructions-text").dispatchEvent(event);
}"""
PICTURES = "/instructions/pictures/"
ADDED = f"""count => document.querySelector("#instructions-text").value.split("{PICTURES}").length > count"""


def test_pictures_are_pasted_chosen_and_seen_by_labelers(browse, project, manager, labeler, items) -> None:
    page = browse(manager, f"/projects/{project.pk}/settings/instructions/")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add pictures").click()
    good = {"name": "edge case.jpg", "mimeType": "image/jpeg", "buffer": factories.picture_file(kind="JPEG")}
    chooser.value.set_files([good, {"name": "no.png", "mimeType": "image/png", "buffer": b"nothing"}])
    expect(page.get_by_role("alert").filter(has_text="no.png: This is not a PNG")).to_be_visible()
    text = page.get_by_label("What labelers read")
    assert text.input_value().startswith("Name the shape.\n![edge case](/projects/")
    text.focus()
    page.evaluate(PASTE)
    page.wait_for_function(ADDED, arg=2, polling=100)
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Version 2 is what labelers read now.")).to_be_visible()
    label = browse(labeler, f"/projects/{project.pk}/label/")
    for name in ("edge case", "pasted"):
        picture = label.get_by_role("dialog").get_by_role("img", name=name)
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") > 0
