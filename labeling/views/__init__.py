"""Pages: parse, authorise, call the domain, render."""
