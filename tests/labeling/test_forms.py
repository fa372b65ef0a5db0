"""What people type into forms."""

from labeling.forms import parse_classes


def test_indented_classes_belong_to_the_one_above():
    classes = parse_classes("animal\n  dog: barks\n    puppy\n\tcat\nvehicle\n  car")
    assert [(each["name"], each["parent"]) for each in classes] == [
        ("animal", ""),
        ("dog", "animal"),
        ("puppy", "dog"),
        ("cat", "dog"),
        ("vehicle", ""),
        ("car", "vehicle"),
    ]
    assert classes[1]["description"] == "barks"
