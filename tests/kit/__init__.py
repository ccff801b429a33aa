"""What the tests share: a toy codec, messages of every dialect, ways to cut a stream, captures and vectors."""
