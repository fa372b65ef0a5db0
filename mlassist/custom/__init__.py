"""Custom models: several candidates trained side by side, one of them chosen by eye and kept to."""
