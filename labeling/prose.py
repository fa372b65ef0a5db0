"""Markdown that people write, as HTML that can do no harm.

HTML in it shows as it was typed: every tag comes from the renderer, so there is nothing to take out
afterwards. Pictures are those that were added to the same project, or come along in the text (`data:`).
All others become links: pages load nothing from other sites, since whoever runs one would learn who reads
what, and nothing from elsewhere in Loupe, since a picture that is fetched may be any address.
"""

import html
import re
from collections.abc import Sequence
from typing import Any

from django.utils.html import escape, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

TOP = 3  # the level of the topmost heading: it stands below those of the page
LINK = re.compile(r"(https?:|mailto:|#|/)", re.IGNORECASE)
OWN = re.compile(r"/projects/[0-9]+/instructions/pictures/[0-9a-f]{64}/")
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,", re.IGNORECASE)


class Renderer(RendererHTML):
    """Writes headings for their place, links that open beside the page, and pictures of the text itself."""

    def heading_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f"<h{level(tokens[at], env)}>"

    def heading_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f"</h{level(tokens[at], env)}>\n"

    def link_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        tokens[at].attrSet("rel", "noopener noreferrer")
        tokens[at].attrSet("target", "_blank")
        return self.renderToken(tokens, at, options, env)

    def th_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f"<{tokens[at].tag}>"  # no alignment: it would be a style, which pages refuse

    td_open = th_open

    def image(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        token = tokens[at]
        source = str(token.attrs.get("src", ""))
        if PICTURE.match(source) or is_own(source, env["project"]):
            return str(super().image(tokens, at, options, env))
        link = Token("link_open", "a", 1, attrs={"href": source})
        inside = self.renderInlineAsText(token.children or [], options, env) or source
        return f"{self.link_open([link], 0, options, env)}{escape(inside)}</a>"


def level(heading: Token, env: Any) -> int:
    return min(6, int(heading.tag[1]) - env["topmost"] + TOP)


def is_harmless(address: str) -> bool:
    return bool(LINK.match(address) or PICTURE.match(address))


READER = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=Renderer)
READER.enable(["table", "strikethrough"])
READER.validateLink = is_harmless  # type: ignore[assignment, method-assign]


def is_own(address: str, project: int | None) -> bool:
    """Tell whether an address is that of a picture of a project's instructions."""
    if project is None or not OWN.fullmatch(address):
        return False
    return address.startswith(f"/projects/{project}/")


def render(text: str, project: int | None = None) -> SafeString:
    """Return Markdown as HTML; pictures of a project's instructions show where its id is given.

    Line breaks are kept, as in texts from before there was Markdown.
    """
    tokens = READER.parse(text)
    levels = [int(each.tag[1]) for each in tokens if each.type == "heading_open"]
    env = {"topmost": min(levels, default=1), "project": project}
    return mark_safe(READER.renderer.render(tokens, READER.options, env))  # noqa: S308


def excerpt(text: str, most: int) -> str:
    """Return how Markdown begins, as plain text of at most so many characters."""
    return Truncator(" ".join(html.unescape(strip_tags(render(text))).split())).chars(most)
