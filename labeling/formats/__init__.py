"""File formats, as pure functions of plain records (records.py).

Each format is a module with two functions that undo each other, up to the precision that it documents:

    write(heading, pictures) -> the parts of a file or archive, one after the other
    read(files) -> categories, pictures and problems, a category always before what has it

Both hold no more than one image at a time; what does not go in that order waits on disk.
"""
