//! What an IP address can be reached from.

use std::net::IpAddr;

/// Whether an address means something on one link only (RFC 3927, RFC 4291 section 2.5.6).
pub const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// RFC 1918, RFC 4193 and the shared space of RFC 6598: nobody's but ours, whatever the gateway.
pub const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}
