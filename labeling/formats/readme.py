"""What stands beside the labels in an archive: where the images are, and which of them have no copy."""

from labeling.formats.records import Heading

FILE = "README.txt"
COPIED = "The images lie in this archive, upright, as they were when they were imported."
LINKED = """The images are not in this archive; each has its address at the Loupe that wrote it. An address
is for members of the project: send the header "Authorization: Token …" with it, with a token from your
profile page.

    curl -L -H "Authorization: Token $LOUPE_TOKEN" -o image.jpg ADDRESS"""
WITHOUT = """The images are not in this archive. Put yours where file names say that they are, or
export again with copies of them."""
MISSING = """{count:,} of the images {has} no copy here: what lay at {its} source was gone,
or was another file than the one that was labeled. {rule}"""
STAYS = "Their labels are here as they were given."
GOES = "They are left out with their labels, for here the images are the labels."


def text(heading: Heading, *, is_images: bool) -> str:
    """Return the page of an archive, to be called when all pictures were gone through."""
    said = [f"{' '.join(heading.name.split())}: labels, written by Loupe"]
    said += [COPIED if heading.image else LINKED if heading.with_links else WITHOUT]
    said += [missing(heading, is_images=is_images)] if heading.left_out.count else []
    return "\n\n".join(said) + "\n"


def missing(heading: Heading, *, is_images: bool = False) -> str:
    """Name the images that have no copy, each with why."""
    left_out = heading.left_out
    one = left_out.count == 1
    told = MISSING.format(
        count=left_out.count,
        has="has" if one else "have",
        its="its" if one else "their",
        rule=GOES if is_images else STAYS,
    )
    more = left_out.count - len(left_out.named)
    lines = [f"- {name}: {why}" for name, why in left_out.named]
    return "\n".join([told, "", *lines, *([f"and {more:,} more"] if more else [])])
