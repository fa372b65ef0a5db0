"""Labels from a model that nobody has taught: by words or by examples; or by a model of the project."""
