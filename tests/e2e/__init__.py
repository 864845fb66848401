"""End-to-end tests: the binary, a real NetBox, a real resolver. See README.md."""
