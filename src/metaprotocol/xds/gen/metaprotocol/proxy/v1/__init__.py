"""Messages; `make protos` writes them again."""
