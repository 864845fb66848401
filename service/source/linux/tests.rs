//! The configuration, and what is made of exit statuses. The whole is tested against a real sshd, in `tests/e2e/test_linux.py`.

use super::*;

fn config(text: &str) -> Result<Config, serde_json::Error> {
    serde_json::from_str(text)
}

const SHORTEST: &str =
    r#"{"name": "gw", "ssh": "surveyor@192.0.2.1", "identity_file": "/k", "known_hosts_file": "/h"}"#;

fn refusal(config: &Config) -> String {
    let Err(error) = config.build(&[]) else { panic!("it was made") };
    error.to_string()
}

#[test]
fn the_shortest_configuration_has_sensible_defaults() {
    let found = config(SHORTEST).unwrap();
    assert_eq!((found.timeout_seconds, found.ssh.port), (15, 22));
    let again = serde_json::to_value(&found).unwrap();
    assert_eq!(serde_json::from_value::<Config>(again).unwrap(), found);
    assert_eq!(found.build(&[]).unwrap().name().as_str(), "gw");
}

#[test]
fn what_cannot_work_is_refused() {
    let fault = config(&SHORTEST.replace("surveyor@", "")).unwrap_err().to_string();
    assert!(fault.contains("user@host:port"), "{fault}");
    let fault = config(&SHORTEST.replace("\"ssh\"", "\"address\"")).unwrap_err().to_string();
    assert!(fault.contains("`address`") && fault.contains("`ssh`"), "{fault}");
    let blind = Config { known_hosts_file: None, ..config(SHORTEST).unwrap() };
    assert!(refusal(&blind).contains("set known_hosts_file or host_key"), "{}", refusal(&blind));
    let wrong = Config { host_key: Some("MD5:aa:bb".to_owned()), ..blind };
    assert!(refusal(&wrong).contains("`MD5:aa:bb` is no host key"), "{}", refusal(&wrong));
    let hasty = Config { timeout_seconds: 0, ..config(SHORTEST).unwrap() };
    assert!(refusal(&hasty).contains("timeout_seconds"));
}

fn left(command: Command, status: u32, stdout: &str, stderr: &str) -> Said {
    said(command, Output { status, stdout: stdout.into(), stderr: stderr.into() })
}

#[test]
fn what_is_missing_is_named_with_what_to_install() {
    let fault = |said: Said| said.fault.unwrap();
    let busybox = "ip: invalid option -- 'j'\nBusyBox v1.36.1 () multi-call binary.\n\nUsage: ip [OPTIONS] address|route";
    let found = fault(left(commands::LINKS, 1, "", busybox));
    assert!(found.contains("ip-full") && found.contains("does not print JSON"), "{found}");
    let old = fault(left(commands::NEIGHBORS, 255, "", "Option \"-j\" is unknown, try \"ip -help\".\n"));
    assert!(old.contains("iproute2 4.16"), "{old}");
    let none = fault(left(commands::FDB, 127, "", "env: 'bridge': No such file or directory\n"));
    assert!(none.contains("ip-bridge"), "{none}");
    let not_root = fault(left(commands::FDB, 126, "", "env: 'bridge': Permission denied\n"));
    assert!(not_root.contains("may not be run: env: 'bridge': Permission denied"), "{not_root}");
    let other = fault(left(commands::LINKS, 1, "This account is currently not available.\n", ""));
    assert_eq!(other, "exit status 1: This account is currently not available.");
    assert!(left(commands::LLDP, 127, "", "env: 'lldpctl': No such file or directory").is_missing);
    assert_eq!(left(commands::LINKS, 0, "[]", "a warning").fault, None);
}

#[test]
fn what_was_printed_before_a_failure_is_kept() {
    let cut = left(commands::NEIGHBORS, 1, r#"[{"dst":"192.0.2.1"}]"#, "Dump terminated\n");
    let (rows, fault) = cut.rows();
    assert_eq!((rows.len(), fault.as_deref()), (1, Some("exit status 1: Dump terminated")));
}
