"""What the end-to-end tests stand on: the lab, a NetBox reader, the binary, DNS queries, the truth."""
