//! What is run on the box, and what each command is read for. Nothing here changes anything there.

use crate::model::FactKind;

/// A command without anything that varies, so that a forced command can allow exactly these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Command {
    /// As it runs there.
    pub(super) text: &'static str,
    /// The facts that are missing without it.
    pub(super) kind: FactKind,
    /// Whether a box may have nothing to say to it: a file that not every box has, a daemon that is not installed.
    pub(super) is_optional: bool,
}

const fn command(kind: FactKind, text: &'static str) -> Command {
    Command { text, kind, is_optional: false }
}

const fn optional(kind: FactKind, text: &'static str) -> Command {
    Command { text, kind, is_optional: true }
}

/// Before each command. Ordinary users of Debian have no `/usr/sbin` in their PATH, where `bridge` is; NixOS has everything
/// elsewhere; messages are wanted in English. `env` needs no shell syntax, so that any login shell will do.
pub(super) const PREFIX: &str = "env LC_ALL=C \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin ";

pub(super) const NAME: Command = command(FactKind::Device, "uname -n");
/// os-release(5), DMI and sysctl values: `FILE:LINE`, files that are not there or not for this user left out.
pub(super) const ABOUT: Command = optional(
    FactKind::Device,
    "grep -sH . /etc/os-release /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name \
     /sys/class/dmi/id/product_serial /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding",
);
/// What a board without DMI is called, as its device tree has it; ends with NUL.
pub(super) const BOARD: Command = optional(FactKind::Device, "cat /proc/device-tree/model");
/// One path for each radio.
pub(super) const RADIOS: Command = optional(FactKind::Interfaces, "ls -d /sys/class/net/*/phy80211");
pub(super) const LINKS: Command = command(FactKind::Interfaces, "ip -j -d link show");
pub(super) const VLANS: Command = command(FactKind::Interfaces, "bridge -j vlan show");
pub(super) const ADDRESSES: Command = command(FactKind::Networks, "ip -j addr show");
pub(super) const ROUTES: Command = command(FactKind::Networks, "ip -j route show default");
pub(super) const NEIGHBORS: Command = command(FactKind::Neighbors, "ip -j neigh show");
pub(super) const FDB: Command = command(FactKind::Fdb, "bridge -j fdb show");
pub(super) const LLDP: Command = optional(FactKind::Lldp, "lldpctl -f json");

/// All of them, for the forced command and for tests.
#[cfg(test)]
pub(super) const ALL: [Command; 11] =
    [NAME, ABOUT, BOARD, RADIOS, LINKS, VLANS, ADDRESSES, ROUTES, NEIGHBORS, FDB, LLDP];

#[cfg(test)]
mod tests {
    use super::*;

    /// The forced command as it is shipped.
    const FORCED: &str = include_str!("surveyor-linux-read");

    #[test]
    fn the_forced_command_allows_exactly_these() {
        for command in ALL {
            let line = format!("*\" {0}\") exec {0} ;;", command.text);
            assert!(FORCED.lines().any(|known| known.trim() == line), "{line}");
        }
        assert_eq!(FORCED.matches(") exec ").count(), ALL.len());
    }

    #[test]
    fn no_command_needs_a_shell_to_quote() {
        for command in ALL {
            let plain = |c: char| c.is_ascii_alphanumeric() || " -/._*".contains(c);
            assert!(command.text.chars().all(plain), "{}", command.text);
        }
    }
}
