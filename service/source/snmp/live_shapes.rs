//! Agents that are odd on the wire: rows without order, rows numbered instead of indexed, tables of vendors' own, contexts that
//! do not answer. Crafted for the purpose, and served by a real agent.

use std::path::{Path, PathBuf};

use super::live::{Agent, agent, assert_same, collect, comparable, config, source};
use super::{Config, recording};
use crate::model::{Collection, Fact, FactKind};

/// What every crafted device says of itself: ports 1 to 3, `vendor` below 1.3.6.1.4.1.
fn device(vendor: &str) -> Vec<String> {
    let mut lines = vec![
        "1.3.6.1.2.1.1.1.0|4|crafted".to_owned(),
        format!("1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.{vendor}"),
        "1.3.6.1.2.1.1.3.0|67|10000".to_owned(),
    ];
    for port in 1..=3 {
        lines.push(format!("1.3.6.1.2.1.2.2.1.2.{port}|4|port{port}"));
        lines.push(format!("1.3.6.1.2.1.2.2.1.8.{port}|2|1"));
        lines.push(format!("1.3.6.1.2.1.17.1.4.1.2.{port}|2|{port}"));
    }
    lines
}

/// The rows in the order of a file that snmpsim serves; those of `unsorted` keep theirs, at the place of the first.
fn write(folder: &Path, name: &str, mut sorted: Vec<String>, unsorted: &[String]) -> PathBuf {
    let oid = |line: &String| -> Vec<u32> {
        let name = line.split('|').next().unwrap();
        name.split('.').map(|arc| arc.parse().unwrap()).collect()
    };
    sorted.extend(unsorted.first().cloned());
    sorted.sort_by_key(oid);
    let mut text = String::new();
    for line in &sorted {
        let lines = if Some(line) == unsorted.first() { unsorted } else { std::slice::from_ref(line) };
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
    }
    let path = folder.join(name).with_extension("snmprec");
    std::fs::write(&path, text).unwrap();
    path
}

async fn read(agent: &Agent, community: &str) -> Collection {
    let quick = Config { timeout_seconds: 1, retries: 0, ..config(agent.address) };
    collect(&*source(quick, &agent.community(community))).await
}

/// Reads what the parser makes of the file, without a gap.
async fn reads_all(agent: &Agent, community: &str, path: &Path) -> Collection {
    let found = read(agent, community).await;
    assert!(found.gaps.is_empty(), "{community}: {:?}", found.gaps);
    let expected = recording::parse(&recording::read(path), "sw1");
    assert_same(&comparable(&found), &comparable(&expected), community);
    found
}

fn rows(sink: &Collection) -> Vec<(String, Result<String, u32>, Option<u16>)> {
    let port = |port| sink.fdb.port(port).unwrap().port.clone();
    let mut rows: Vec<_> = sink.fdb.rows().map(|(mac, at, vlan)| (mac.lower(), port(at), vlan)).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn rows_without_order_are_read_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    // 120 rows, so that a bulk request ends in the middle of the disorder.
    let unsorted: Vec<String> = (0..120)
        .map(|number| {
            let scattered = number * 77 % 120;
            format!("1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.1.{scattered}|2|{}", scattered % 3 + 1)
        })
        .collect();
    let path = write(folder.path(), "sw", device("99.1"), &unsorted);
    let Some(agent) = agent(&[("sw", path.clone())]) else { return };
    assert_eq!(reads_all(&agent, "sw", &path).await.fdb.len(), 120);
}

#[tokio::test]
async fn tables_of_vendors_and_numbered_rows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut huawei = device("2011.2.23.1");
    huawei.extend([
        "1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.0.1|2|1".to_owned(),
        "1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.0.9|2|3".to_owned(),
        "1.3.6.1.4.1.2011.5.25.42.2.1.3.1.4.2.0.0.0.0.1.10.1.48|2|1".to_owned(),
        "1.3.6.1.4.1.2011.5.25.42.2.1.3.1.4.2.0.0.0.0.2.10.1.48|2|2".to_owned(),
    ]);
    let mut aos = device("6486.801.1.1");
    aos.push("1.3.6.1.4.1.6486.801.1.2.1.8.1.1.8.1.7.1.0.2.30.0.2.0.0.0.0.1|2|4".to_owned());
    let mut numbered = device("99.1");
    for (row, column, value) in [
        (1, 1, "2|3"),
        (1, 2, "4x|020000000001"),
        (1, 3, "64|192.0.2.1"),
        (2, 1, "2|3"),
        (2, 2, "4x|020000000002"),
        (2, 3, "64|192.0.2.2"),
    ] {
        numbered.push(format!("1.3.6.1.2.1.4.22.1.{column}.{row}|{value}"));
    }
    let files: Vec<(&str, PathBuf)> = [("huawei", huawei), ("aos", aos), ("numbered", numbered)]
        .into_iter()
        .map(|(name, lines)| (name, write(folder.path(), name, lines, &[])))
        .collect();
    let Some(agent) = agent(&files) else { return };
    let row =
        |last: u8, port: u32, vlan| (format!("02:00:00:00:00:0{last}"), Ok(format!("port{port}")), vlan);
    let found = reads_all(&agent, "huawei", &files[0].1).await;
    assert_eq!(rows(&found), [row(1, 1, Some(10)), row(2, 2, Some(10)), row(9, 3, None)]);
    let found = reads_all(&agent, "aos", &files[1].1).await;
    assert_eq!(rows(&found), [row(1, 2, Some(30))]);
    let found = reads_all(&agent, "numbered", &files[2].1).await;
    let known = found.facts.iter().filter(|fact| matches!(fact, Fact::Neighbor { .. })).count();
    assert_eq!(known, 2);
}

/// A switch with these operational VLANs and one row of the default context.
fn cisco(vlans: &[u16]) -> Vec<String> {
    let mut lines = device("9.1.516");
    let states = vlans.iter().map(|vlan| format!("1.3.6.1.4.1.9.9.46.1.3.1.1.2.1.{vlan}|2|1"));
    lines.extend(states);
    lines.push("1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.0.1|2|1".to_owned());
    lines
}

/// The bridge of one VLAN, with its own base ports.
fn context(last: u8) -> Vec<String> {
    vec!["1.3.6.1.2.1.17.1.4.1.2.77|2|2".to_owned(), format!("1.3.6.1.2.1.17.4.3.1.2.2.0.0.0.0.{last}|2|77")]
}

#[tokio::test]
async fn silent_vlans_take_no_other_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, lines| write(folder.path(), name, lines, &[]);
    let files = [
        ("few", file("few", cisco(&[1, 2, 3, 4, 100, 950]))),
        ("few@100", file("few@100", context(5))),
        ("few@950", file("few@950", context(6))),
        ("one", file("one", cisco(&[1]))),
        ("deaf", file("deaf", cisco(&(1..60).collect::<Vec<u16>>()))),
    ];
    let Some(agent) = agent(&files) else { return };
    let row =
        |last: u8, port: u32, vlan| (format!("02:00:00:00:00:0{last}"), Ok(format!("port{port}")), vlan);

    let found = read(&agent, "few").await;
    assert_eq!(rows(&found), [row(1, 1, Some(1)), row(5, 2, Some(100)), row(6, 2, Some(950))]);
    let [gap] = found.gaps.as_slice() else { panic!("{:?}", found.gaps) };
    assert!(
        gap.reason.starts_with("3 of 5 VLANs were not read (3 silent), the first is 2: "),
        "{}",
        gap.reason
    );

    let found = read(&agent, "one").await;
    assert_eq!(rows(&found), [row(1, 1, Some(1))], "the default context shows VLAN 1");
    assert!(found.gaps.is_empty(), "{:?}", found.gaps);

    let began = std::time::Instant::now();
    let found = read(&agent, "deaf").await;
    assert!(began.elapsed().as_secs() < 20, "asking ends where no VLAN has a context");
    assert_eq!(rows(&found), [row(1, 1, Some(1))]);
    let [gap] = found.gaps.as_slice() else { panic!("{:?}", found.gaps) };
    assert!(gap.facts == FactKind::Fdb && gap.reason.starts_with("58 of 58 VLANs"), "{}", gap.reason);
    assert!(gap.reason.contains(" silent, ") && gap.reason.contains(" not asked)"), "{}", gap.reason);

    let checks = source(config(agent.address), &agent.community("deaf")).check().await;
    let said = checks.last().unwrap().outcome.as_ref().unwrap_err();
    assert!(said.contains("`@2` appended"), "{said}");
}
