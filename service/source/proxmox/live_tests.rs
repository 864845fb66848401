//! proxmox against a peer at the wire.
