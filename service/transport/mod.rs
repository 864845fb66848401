//! HTTP, TLS and SSH clients: below the edges, knows no NetBox and no source.
