"""Which items to ask people about first: pure functions of arrays, one module per situation."""
