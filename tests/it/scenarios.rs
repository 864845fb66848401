//! Folders of `tests/scenarios`: what sources say, what people do, and every text in between.
//!
//! `00-view.json` (what people documented; without it an empty NetBox), `01-observations*.jsonl` (a recording each), then written by
//! the program: `02-candidates.txt`, `03-stage.txt`; `04-approve.txt` (what people do, a line each; `discover FOLDER` reads the
//! sources again); then `05-plan.txt` (what follows from each line), `06-world.txt`, `07-rollback.txt`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use surveyor::model::{Collection, ObjectKind};
use surveyor::plan::stage::Staging;
use surveyor::plan::{Plan, render};
use surveyor::source::record;

use crate::support::shown::{self, Depth};
use crate::support::world::{Outcome, World};
use crate::support::{acts, expect, root};

/// One line of `00-view.json`: an object as a person would write it through the API.
#[derive(Debug, Deserialize)]
struct Documented {
    kind: String,
    fields: Value,
}

/// A minute passes between one thing and the next.
const STEP_MS: i64 = 60_000;

pub(crate) fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("tests/scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

#[test]
fn every_scenario_reads_as_expected() {
    let folders = folders();
    assert!(folders.len() >= 13, "scenarios are missing");
    let differences: Vec<String> = folders.iter().flat_map(|folder| run(folder)).collect();
    assert!(
        differences.is_empty(),
        "{}\nhint: if this is wanted, `UPDATE_EXPECT=1 cargo test --test it scenarios` rewrites the files",
        differences.join("\n")
    );
}

fn run(folder: &Path) -> Vec<String> {
    let mut world = World::new();
    let documented = std::fs::read_to_string(folder.join("00-view.json")).unwrap_or_else(|_| "[]".to_owned());
    for object in serde_json::from_str::<Vec<Documented>>(&documented).unwrap() {
        let kind = ObjectKind::from_content_type(&object.kind).unwrap();
        world.document(kind, object.fields);
    }
    let first = replay(folder);
    let discovery = acts::discover(&world, &first);
    let candidates = shown::discovery(&discovery);
    let stage = propose(&mut world, &first);

    let mut plan = String::new();
    let mut before = None;
    let approve = std::fs::read_to_string(folder.join("04-approve.txt")).unwrap_or_default();
    for line in approve.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("//")) {
        let _ = writeln!(plan, "> {line}");
        world.now = world.now.plus_millis(STEP_MS);
        if let Some(name) = line.strip_prefix("discover ") {
            let collections = if name == "again" { first.clone() } else { replay(&folder.join(name)) };
            plan += &propose(&mut world, &collections);
        } else {
            acts::act(&mut world, line);
            before = before.or_else(|| acts::decided(&world).iter().any(is_approval).then(|| world.clone()));
            for (done, outcome) in acts::sweep(&mut world) {
                plan += &told(&done, &outcome);
            }
        }
    }
    let after = shown::world(&world, Depth::All);

    let mut back = String::new();
    let plans = acts::undone(&world);
    let outcomes = world.apply(&plans);
    for (done, outcome) in plans.iter().zip(&outcomes) {
        back += &told(done, outcome);
    }
    if let Some(before) = before {
        let (was, is) = (shown::world(&before, Depth::Substance), shown::world(&world, Depth::Substance));
        back += "= against the world before approval:\n";
        back += &shown::difference(&was, &is);
    }
    [
        ("02-candidates.txt", candidates),
        ("03-stage.txt", stage),
        ("05-plan.txt", plan),
        ("06-world.txt", after),
        ("07-rollback.txt", back),
    ]
    .into_iter()
    .filter_map(|(name, text)| expect(&folder.join(name), &text))
    .collect()
}

fn replay(folder: &Path) -> Vec<Collection> {
    record::replay(folder).unwrap_or_else(|error| panic!("{error}"))
}

fn is_approval(plan: &Plan) -> bool {
    plan.cause == surveyor::plan::Cause::Materialize
}

/// Proposes what is found, and says everything that planning said.
fn propose(world: &mut World, collections: &[Collection]) -> String {
    let staging = acts::staged(world, collections);
    let outcomes = world.apply(&staging.plans);
    let mut text: String =
        staging.plans.iter().zip(&outcomes).map(|(plan, outcome)| told(plan, outcome)).collect();
    text += &rest(&staging);
    let again = acts::staged(world, collections);
    assert!(again.plans.is_empty(), "the same again is planned again: {:#?}", again.plans);
    text
}

fn rest(staging: &Staging) -> String {
    let mut text = String::new();
    for (identity, object) in &staging.unchanged {
        let _ = writeln!(text, "unchanged {identity} ({object})");
    }
    for (identity, object, differences) in &staging.documented {
        let _ = writeln!(text, "documented {identity} ({object}) {}", differences.join("; "));
    }
    for (identity, name, reason) in &staging.held_back {
        let _ = writeln!(text, "held back {identity} {name}: {reason}");
    }
    text
}

fn told(plan: &Plan, outcome: &Outcome) -> String {
    let mut text = render::plan(plan);
    if let Some(reason) = outcome {
        let _ = writeln!(text, "  !! {reason}");
    }
    text
}
