"""What the audit log says of faces that are hidden."""

from labeling.telling import Data, Door, Names, number, verb


def hidden(data: Data, names: Names) -> str:
    style = {"mosaic": "a mosaic", "blur": "a blur", "box": "a grey box"}.get(data.get("style", ""), "")
    images = f" and in {number(data['images'], 'image', 'images')}" if data.get("images") else ""
    exports = number(data.get("exports", 0), "export", "exports")
    gone = f"; {exports} with images deleted" if data.get("exports") else ""
    kept = "discards" if data.get("originals") == "discard" else "keeps"
    return f"had faces hidden by {style} from now on{images}, and {kept} the originals{gone}"


FACES = Door("faces")
verb("hide_faces", "Faces hidden", hidden, FACES)
verb(
    "face_style",
    "What hides faces changed",
    lambda data, names: f"had faces hidden by a {data.get('style')}",
    FACES,
)
verb(
    "discard_originals",
    "Originals discarded",
    lambda data, names: f"had the originals of {number(data.get('images', 0), 'image', 'images')} deleted",
    FACES,
)


def face_door(data: Data) -> Door | None:
    items = data.get("items") or [None]
    return Door("face-item", item=items[0])


verb("face_added", "Part of an image hidden", "hid one more part of an image", face_door)
verb("face_removed", "Part of an image shown", "had a part of an image shown again", face_door)
