//! Targets and recorded host keys. The wrapper itself is tested against a real sshd, with the DNS push that uses it.

use proptest::prelude::*;

use super::known_hosts::Recorded;
use super::*;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";

fn target(text: &str) -> SshTarget {
    text.parse().unwrap()
}

fn key(text: &str) -> PublicKey {
    text.parse().unwrap()
}

#[test]
fn targets() {
    for (text, user, host, port) in [
        ("surveyor@192.0.2.53:22", "surveyor", "192.0.2.53", 22),
        ("root@NS1.example.org", "root", "ns1.example.org", 22),
        ("a@[2001:db8::1]:2222", "a", "2001:db8::1", 2222),
        ("a@[2001:db8::1]", "a", "2001:db8::1", 22),
        ("a@2001:db8::1", "a", "2001:db8::1", 22),
    ] {
        let found = target(text);
        assert_eq!((found.user.as_str(), found.host.as_str(), found.port), (user, host, port), "{text}");
        assert_eq!(target(&found.to_string()), found, "round trip");
    }
    for text in ["host", "@host", "a@", "a@host:0", "a@host:99999", "a@[::1", "a@[::1]x", "a b@host", "a@h\n"]
    {
        assert!(text.parse::<SshTarget>().is_err(), "{text:?}");
    }
}

#[test]
fn recorded_keys() {
    let ns1 = target("a@ns1.example.org");
    let accepts = |file: &str, target: &SshTarget| Recorded::parse(file, target).accepts(&key(ED25519));
    assert!(accepts(&format!("ns1.example.org {ED25519} comment"), &ns1));
    assert!(accepts(&format!("# note\n\nother,NS1.example.org\t {ED25519}"), &ns1));
    assert!(accepts(&format!("*.example.org {ED25519}"), &ns1));
    assert!(accepts(&format!("ns1.example.org {OTHER}\nns1.example.org {ED25519}"), &ns1), "the second key");
    assert!(accepts(&format!("[ns1.example.org]:2222 {ED25519}"), &target("a@ns1.example.org:2222")));
    assert!(!accepts(&format!("ns1.example.org {ED25519}"), &target("a@ns1.example.org:2222")));
    assert!(!accepts(&format!("*.example.org,!ns1.example.org {ED25519}"), &ns1));
    assert!(!accepts(&format!("@cert-authority *.example.org {ED25519}"), &ns1));
    assert!(!accepts(&format!("ns1.example.org {ED25519}\n@revoked * {ED25519}"), &ns1));
    assert!(!accepts(&format!("#ns1.example.org {ED25519}"), &ns1));
    assert!(!accepts("ns1.example.org ssh-ed25519 garbage\nns1.example.org", &ns1));
}

#[test]
fn an_rsa_line_does_not_spoil_the_file() {
    let ns1 = target("a@ns1");
    let recorded =
        Recorded::parse(&format!("ns1 ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ\nns1 {ED25519}"), &ns1);
    assert!(recorded.accepts(&key(ED25519)) && recorded.has_unsupported());
    assert_eq!(recorded.algorithms(), [Algorithm::Ed25519]);
}

#[test]
fn hashed_names() {
    // From `ssh-keygen -H`: ns1.example.org, and the same on port 2222.
    let file = format!(
        "|1|X8Y9SAMkxKXz7HGTz3OesURYrIw=|SpuvLiyv1ultNnTnM3Hr4tgQeI8= {ED25519}\n|1|GarVknAbC2Jmu430nReT+2cD144=|UzvN+eLZlp4Pir8sy9zRMPhbHUI= {ED25519}"
    );
    let knows = |name: &str| !Recorded::parse(&file, &target(name)).algorithms().is_empty();
    assert!(knows("a@ns1.example.org") && knows("a@ns1.example.org:2222"));
    assert!(!knows("a@ns2.example.org") && !knows("a@ns1.example.org:2223"));
}

proptest! {
    #[test]
    fn parsing_is_total(text in "([@|*!?,a1 =\\[\\]:\n]|ns1|ssh-ed25519 AAAA){0,60}") {
        _ = Recorded::parse(&text, &target("a@ns1"));
        _ = text.parse::<SshTarget>();
    }
}
