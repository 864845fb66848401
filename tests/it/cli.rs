//! The program itself: what it prints where, and how it ends.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::schemas;
use crate::support::root;

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_surveyor"));
    command.current_dir(folder).env_clear().env("PATH", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs the program in a folder with this configuration, if any.
fn run(config: Option<&str>, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    if let Some(config) = config {
        std::fs::write(folder.path().join("surveyor.toml"), config).unwrap();
    }
    program(folder.path()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one message of a run that a person has to fix.
fn refusal(config: Option<&str>, arguments: &[&str]) -> String {
    let output = run(config, arguments);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(printed(&output), "", "{text}");
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    text
}

fn scenario(name: &str) -> PathBuf {
    root().join("tests/scenarios").join(name)
}

const ROUTER: &str = r#"
[[source]]
name = "router1"
type = "routeros"
address = "192.0.2.1"
username = "surveyor"
password_file = "/nonexistent/router1"
tls = "insecure"
"#;

#[test]
fn help_and_version_need_no_configuration() {
    for arguments in [&["--help"] as &[&str], &["discover", "--help"], &["--version"], &["help"]] {
        let output = run(None, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
        assert!(printed(&output).contains("surveyor"), "{arguments:?}");
        assert_eq!(said(&output), "", "{arguments:?}");
    }
    let version = printed(&run(None, &["--version"]));
    assert_eq!(version, format!("surveyor {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_the_users() {
    for arguments in [&[] as &[&str], &["discver"], &["discover", "--recrd", "x"], &["plan"]] {
        let output = run(None, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(printed(&output), "", "{arguments:?}");
        assert!(said(&output).contains("Usage:"), "{arguments:?}: {}", said(&output));
    }
    assert!(said(&run(None, &["discver"])).contains("discover"), "it says what was meant");
}

#[test]
fn a_missing_configuration_is_named() {
    let text = refusal(None, &["discover"]);
    assert!(text.contains("`surveyor.toml`") && text.contains("--config"), "{text}");
    let text = refusal(None, &["--config", "other.toml", "status"]);
    assert!(text.contains("`other.toml`"), "{text}");
}

#[test]
fn what_is_only_replayed_needs_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording");
    std::fs::create_dir(&recording).unwrap();
    let row = r#"{"source":"sw1","observed_at":0,"fact":"fdb_entry","device":"sw1","port":"e1","unresolved_port":null,"mac":"00:1B:68:31:00:00","vlan":null,"age":null}"#;
    let lines = [r#"{"source":"sw1","observed_at":0,"version":1}"#, row];
    std::fs::write(recording.join("sw1.jsonl"), lines.join("\n")).unwrap();
    let recording = recording.to_str().unwrap();
    for arguments in [
        &["discover", "--replay", recording] as &[&str],
        &["explain", "00:1b:68:31:00:00", "--replay", recording],
        &["diff", recording, recording],
    ] {
        let output = run(None, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    }
    // One that was named has to be there.
    let text = refusal(None, &["--config", "other.toml", "discover", "--replay", recording]);
    assert!(text.contains("`other.toml`"), "{text}");
    assert!(refusal(None, &["diff", recording]).contains("`surveyor.toml`"));
}

#[test]
fn bad_toml_says_the_line() {
    let text = refusal(Some("[netbox]\nurl = \"x\"\nurl = \n"), &["discover"]);
    assert!(text.contains("line 3"), "{text}");
}

#[test]
fn an_unknown_key_is_named() {
    let text = refusal(Some("[netbox]\nurll = \"https://netbox.example.org\"\n"), &["discover"]);
    assert!(text.contains("urll") && text.contains("netbox"), "{text}");
    let text = refusal(Some(&ROUTER.replace("username", "user_name")), &["discover"]);
    assert!(text.contains("user_name"), "{text}");
    let text = refusal(Some(&ROUTER.replace("routeros", "routerboard")), &["discover"]);
    assert!(text.contains("routerboard"), "{text}");
}

#[test]
fn every_fault_is_said_at_once() {
    let config = format!(
        "{ROUTER}{ROUTER}\n[netbox]\nurl = \"netbox.example.org\"\ntoken_file = \"/nonexistent/token\"\n[defaults]\nsite = \"hq\"\n"
    );
    let text = refusal(Some(&config), &["discover"]);
    assert!(text.contains("two sources are called `router1`"), "{text}");
    assert!(text.contains("`netbox.url` is `netbox.example.org`"), "{text}");
}

#[test]
fn a_missing_secret_is_named() {
    let text = refusal(Some(ROUTER), &["discover"]);
    assert!(text.contains("router1") && text.contains("/nonexistent/router1"), "{text}");
    let netbox = "[netbox]\nurl = \"https://netbox.example.org\"\ntoken_file = \"/nonexistent/token\"\n[defaults]\nsite = \"hq\"\n";
    let text = refusal(Some(netbox), &["status"]);
    assert!(text.contains("/nonexistent/token"), "{text}");
    let text = refusal(Some(""), &["stage"]);
    assert!(text.contains("[netbox]"), "{text}");
}

#[test]
fn discover_prints_what_it_found() {
    let folder = scenario("switch-from-empty");
    let output = run(Some(""), &["discover", "--json", "--replay", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found: Value = serde_json::from_str(&printed(&output)).unwrap();
    assert_eq!(schemas::faults("candidate", &found), Vec::<String>::new());
    assert!(found["candidates"].as_array().is_some_and(|candidates| candidates.len() >= 2));

    let output = run(Some(""), &["discover", "--replay", folder.to_str().unwrap()]);
    assert!(printed(&output).contains("sw1"), "{}", printed(&output));
    assert!(!printed(&output).contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn what_is_recorded_replays_to_the_same() {
    let folder = scenario("switch-from-empty");
    let missing = run(Some(""), &["discover", "--replay", "nowhere"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("nowhere"), "{}", said(&missing));
    let once = run(Some(""), &["discover", "--json", "--replay", folder.to_str().unwrap()]);
    let twice = run(Some(""), &["discover", "--json", "--replay", folder.to_str().unwrap()]);
    assert_eq!(printed(&once), printed(&twice));
}

/// Everything in the recordings of a folder.
fn recorded(folder: &Path) -> String {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| format!("{}\n{}", file.display(), std::fs::read_to_string(file).unwrap()))
        .collect()
}

/// What is the same under other names: kinds, classes, ports of their own, how many of everything.
fn shape(found: &Value) -> Vec<String> {
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    let mut shape: Vec<String> = found["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let cards: Vec<Value> = one["interfaces"]
                .as_array()
                .unwrap()
                .iter()
                .map(|card| {
                    serde_json::json!([
                        card["attachment"]["exclusive"],
                        card["attachment"]["vlan"],
                        count(&card["addresses"])
                    ])
                })
                .collect();
            format!(
                "{} {} {} {} {cards:?} {} {}",
                one["kind"],
                one["class"],
                one["name_origin"],
                one["confidence"],
                count(&one["conflicts"]),
                count(&one["sources"])
            )
        })
        .collect();
    shape.sort();
    shape.push(format!("{} links, {} conflicts", count(&found["links"]), count(&found["conflicts"])));
    shape
}

#[test]
fn a_scrubbed_recording_shows_the_same_under_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let original = scenario("hostile-name");
    let original = original.to_str().unwrap();
    let mut texts = Vec::new();
    for name in ["one", "two"] {
        let sent = folder.path().join(name);
        let arguments =
            ["discover", "--json", "--replay", original, "--record", sent.to_str().unwrap(), "--scrub"];
        let scrubbed = run(Some(""), &arguments);
        let again = run(Some(""), &["discover", "--json", "--replay", sent.to_str().unwrap()]);
        assert_eq!(printed(&scrubbed), printed(&again), "what is printed is what is sent");
        let plain = run(Some(""), &["discover", "--json", "--replay", original]);
        assert_eq!(scrubbed.status.code(), plain.status.code(), "{}", said(&scrubbed));
        let json = |output: &Output| serde_json::from_str::<Value>(&printed(output)).unwrap();
        assert_eq!(shape(&json(&scrubbed)), shape(&json(&plain)));
        let text = recorded(&sent).replace(&folder.path().display().to_string(), "").to_lowercase();
        let known = recorded(Path::new(original)).to_lowercase();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-');
        let words: std::collections::BTreeSet<&str> = known
            .split(|c: char| !is_part(c))
            .filter(|word| word.parse::<std::net::IpAddr>().is_ok() || word.matches(':').count() == 5)
            .collect();
        assert!(words.len() > 5, "{words:?}");
        for word in words.into_iter().chain(["sw1", "router1"]) {
            assert!(!text.split(|c: char| !is_part(c)).any(|left| left == word), "{word} is left in {text}");
        }
        texts.push(text);
    }
    assert_ne!(texts[0], texts[1], "nobody can compare two of them");
}

#[test]
fn real_names_do_not_get_among_pseudonyms() {
    let folder = tempfile::tempdir().unwrap();
    let original = scenario("switch-from-empty");
    let original = original.to_str().unwrap();
    let text = said(&run(Some(""), &["discover", "--scrub"]));
    assert!(text.contains("--record"), "{text}");
    let to = folder.path().to_str().unwrap();
    assert_eq!(run(Some(""), &["discover", "--replay", original, "--record", to]).status.code(), Some(0));
    let text = refusal(Some(""), &["discover", "--replay", original, "--record", to, "--scrub"]);
    assert!(text.contains("recordings already") && text.contains("new folder"), "{text}");
    let text = refusal(Some(""), &["discover", "--replay", to, "--record", to]);
    assert!(text.contains("is replayed"), "{text}");
}

#[test]
fn a_gap_is_incomplete() {
    let folder = scenario("silent-source/silent");
    let output = run(Some(""), &["discover", "--json", "--replay", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let found: Value = serde_json::from_str(&printed(&output)).unwrap();
    assert!(!found["gaps"].as_array().unwrap().is_empty());
}

#[test]
fn hostile_text_does_not_reach_the_terminal() {
    let folder = scenario("hostile-name");
    let folder = folder.to_str().unwrap();
    let mac = &observed_mac("hostile-name");
    for arguments in [
        &["discover", "--replay", folder] as &[&str],
        &["explain", mac, "--replay", folder],
        &["diff", folder, folder],
    ] {
        let output = run(Some(""), arguments);
        let text = printed(&output);
        assert!(!text.is_empty() && text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}

/// The MAC address of the first lease of a scenario.
fn observed_mac(name: &str) -> String {
    let text = std::fs::read_to_string(scenario(name).join("01-observations-router1.jsonl")).unwrap();
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lease = rows.into_iter().find(|row| row["fact"] == "dhcp_lease").unwrap();
    lease["mac"].as_str().unwrap().to_owned()
}

#[test]
fn explain_tells_why() {
    let folder = scenario("moved-host");
    let folder = folder.to_str().unwrap();
    let mac = observed_mac("moved-host");
    let output =
        run(Some(""), &["explain", &mac.to_lowercase().replace(':', "-"), "--json", "--replay", folder]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told: Value = serde_json::from_str(&printed(&output)).unwrap();
    assert_eq!(schemas::faults("explanation", &told), Vec::<String>::new());
    let host = &told["hosts"][0];
    let name = host["candidate"]["name"].as_str().unwrap();
    assert!(host["observations"].as_array().is_some_and(|lines| lines.len() >= 2), "{host}");

    let by_name = run(Some(""), &["explain", name, "--replay", folder]);
    let text = printed(&by_name);
    for part in ["Observations", "Card ", "Names", "Confidence ", "kept "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // What the journal entry says of it, word for word.
    let journal = std::fs::read_to_string(scenario("moved-host").join("06-world.txt")).unwrap();
    let port = text.lines().map(str::trim).find(|line| line.starts_with("kept sw1 ")).unwrap();
    assert!(journal.contains("kept sw1 ") && port.contains(": "), "{port}");
}

#[test]
fn explain_of_nobody_names_who_may_be_meant() {
    let folder = scenario("switch-from-empty");
    let folder = folder.to_str().unwrap();
    let output = run(Some(""), &["explain", "dsek", "--replay", folder]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(printed(&output), "");
    assert!(said(&output).contains("no source has seen `dsek`; nearest: desk"), "{}", said(&output));
    let output = run(Some(""), &["explain", "something-else-entirely", "--json", "--replay", folder]);
    assert_eq!((output.status.code(), printed(&output).as_str()), (Some(1), ""));
}

#[test]
fn explain_with_a_gap_is_incomplete() {
    let folder = scenario("silent-source/silent");
    let output = run(Some(""), &["explain", "till", "--replay", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(printed(&output).contains("Not read in that run"), "{}", printed(&output));
}

#[test]
fn diff_of_two_runs() {
    let (before, after) = (scenario("moved-host"), scenario("moved-host/moved"));
    let (before, after) = (before.to_str().unwrap(), after.to_str().unwrap());
    let output = run(Some(""), &["diff", before, after, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found: Value = serde_json::from_str(&printed(&output)).unwrap();
    assert_eq!(schemas::faults("diff", &found), Vec::<String>::new());
    assert_eq!(found["moved"].as_array().map(Vec::len), Some(1), "{found}");
    assert!(found["gone"].as_array().is_some_and(Vec::is_empty), "{found}");
    let text = printed(&run(Some(""), &["diff", before, after]));
    assert!(text.contains("moved") && text.contains("1 moved"), "{text}");

    let same = run(Some(""), &["diff", before, before]);
    assert_eq!(same.status.code(), Some(0));
    assert!(
        printed(&same).starts_with("0 new, 0 moved, 0 renamed, 0 re-addressed, 0 gone"),
        "{}",
        printed(&same)
    );
    let missing = run(Some(""), &["diff", before, "nowhere"]);
    assert_eq!(missing.status.code(), Some(1));
    let without = run(Some(""), &["diff", before]);
    assert_eq!(without.status.code(), Some(1), "without NetBox there is nothing to compare one run with");
    assert!(said(&without).contains("[netbox]"), "{}", said(&without));
}

#[test]
fn diff_with_a_gap_is_incomplete_and_nothing_is_gone() {
    let (before, after) = (scenario("silent-source"), scenario("silent-source/silent"));
    let output = run(Some(""), &["diff", before.to_str().unwrap(), after.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let found: Value = serde_json::from_str(&printed(&output)).unwrap();
    assert!(found["gone"].as_array().is_some_and(Vec::is_empty), "{found}");
    assert!(found["unknown"].as_array().is_some_and(|unknown| !unknown.is_empty()), "{found}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("surveyor.toml"), "").unwrap();
    let recording = folder.path().join("recording");
    std::fs::create_dir(&recording).unwrap();
    // More than fits into a pipe.
    let mut lines = vec![r#"{"source":"r","observed_at":0,"version":1}"#.to_owned()];
    lines.push(
        r#"{"source":"r","observed_at":0,"fact":"network","prefix":"10.0.0.0/8","interface":null}"#
            .to_owned(),
    );
    for number in 0..4000 {
        let (high, low) = (number / 250, number % 250);
        lines.push(format!(
            r#"{{"source":"r","observed_at":0,"fact":"neighbor","mac":"00:1B:21:00:{high:02X}:{low:02X}","address":"10.0.{high}.{}","interface":null}}"#,
            low + 1
        ));
    }
    std::fs::write(recording.join("r.jsonl"), lines.join("\n")).unwrap();
    for arguments in
        [&["discover", "--json", "--replay", "recording"] as &[&str], &["discover", "--replay", "recording"]]
    {
        let mut child = program(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut first = [0; 64];
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(!said(&output).contains("error"), "{}", said(&output));
    }
}
