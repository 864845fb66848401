//! The command line: what was typed, which command runs, what it returns.
//!
//! Data goes to standard output, talk to standard error. Exit codes: 0 done; 1 the user can fix it; 2 unexpected; 3 done but
//! incomplete.

mod apply;
mod bootstrap;
mod diff;
mod discover;
mod doctor;
mod explain;
mod ignored;
mod output;
mod serve;
mod setup;
mod stage;
mod status;
mod table;
mod writing;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use output::Output;

/// The configuration file that is read where none is named.
const CONFIG: &str = "surveyor.toml";

/// Finds what hangs on the network, proposes it in NetBox, and makes approvals true.
#[derive(Debug, Parser)]
#[command(name = "surveyor", version, about, long_about = None, propagate_version = false)]
pub struct Arguments {
    /// Configuration file; `surveyor.toml` unless named. What is only replayed needs none.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Log as JSON.
    #[arg(long, global = true)]
    pub log_json: bool,
    /// Log more; twice for everything.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the sources and print what they show; writes nothing, and works without a NetBox.
    Discover(discover::Arguments),
    /// Tell why: every observation of a host, every port and name that was considered, and what became of each.
    Explain(explain::Arguments),
    /// Compare two recorded runs, or a run with NetBox: what is new, moved, renamed, re-addressed, gone.
    Diff(diff::Arguments),
    /// Discover, and propose what NetBox does not have as staged objects.
    Stage(stage::Arguments),
    /// Print what approval of an object makes true, or would.
    Plan(apply::PlanArguments),
    /// Make true what was approved in NetBox.
    Apply(apply::ApplyArguments),
    /// Remove everything that the approval of an object made.
    Rollback(apply::RollbackArguments),
    /// List what was rejected or ignored.
    Ignored,
    /// Forget a reject: the host is proposed again.
    Forget(ignored::ForgetArguments),
    /// Receive webhooks, sweep, and discover on schedule.
    Serve,
    /// Counts by state, freshness of the sources, DNS servers, backlog.
    Status,
    /// Set NetBox up: tags, custom fields, buttons, inbox, webhook, users, permissions, tokens.
    Bootstrap(bootstrap::Arguments),
    /// Check everything: configuration, NetBox, sources, DNS servers.
    Doctor,
}

impl Command {
    /// Whether recordings are all that it looks at.
    fn only_replays(&self) -> bool {
        match self {
            Self::Discover(wanted) => wanted.replay.is_some(),
            Self::Explain(wanted) => wanted.replay.is_some(),
            Self::Diff(wanted) => wanted.a.is_some() && wanted.b.is_some(),
            _ => false,
        }
    }
}

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of it.
    Done,
    /// Some of it: a source failed, something was refused.
    Incomplete,
    /// There is something for the user to fix.
    Faulty,
}

/// Runs the program and says how it ended.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_help = !error.use_stderr();
            return match error.print() {
                Ok(()) if is_help => ExitCode::SUCCESS,
                _ => ExitCode::from(1),
            };
        }
    };
    let level = match (arguments.verbose, &arguments.command) {
        (0, Command::Serve) | (1, _) => "info",
        (0, _) => "warn",
        _ => "debug",
    };
    let format =
        if arguments.log_json { crate::telemetry::Format::Json } else { crate::telemetry::Format::Text };
    crate::telemetry::start(level, format);
    let mut output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&anyhow::Error::new(error).context("cannot start"));
            return ExitCode::from(2);
        }
    };
    let ended =
        runtime.block_on(run(&arguments, &mut output)).and_then(|ended| output.finish().map(|()| ended));
    match ended {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Faulty) => ExitCode::from(1),
        Ok(Ended::Incomplete) => ExitCode::from(3),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let code = if is_users(&error) { 1 } else { 2 };
            output.error(&error);
            ExitCode::from(code)
        }
    }
}

async fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Ended> {
    let config = match &arguments.config {
        Some(file) => Config::read(file)?,
        None if arguments.command.only_replays() => Config::read_if_there(Path::new(CONFIG))?,
        None => Config::read(Path::new(CONFIG))?,
    };
    match &arguments.command {
        Command::Discover(wanted) => discover::run(&config, wanted, output).await,
        Command::Explain(wanted) => explain::run(&config, wanted, output).await,
        Command::Diff(wanted) => diff::run(&config, wanted, output).await,
        Command::Stage(wanted) => stage::run(&config, wanted, output).await,
        Command::Plan(wanted) => apply::plan(&config, wanted, output).await,
        Command::Apply(wanted) => apply::apply(&config, wanted, output).await,
        Command::Rollback(wanted) => apply::rollback(&config, wanted, output).await,
        Command::Ignored => ignored::list(&config, output).await,
        Command::Forget(wanted) => ignored::forget(&config, wanted, output).await,
        Command::Serve => Box::pin(serve::run(&config, output)).await,
        Command::Status => status::run(&config, output).await,
        Command::Bootstrap(wanted) => bootstrap::run(&config, wanted, output).await,
        Command::Doctor => doctor::run(&config, output).await,
    }
}

/// Whether a person can fix it: configuration, credentials, something that is down.
fn is_users(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<crate::config::ConfigError>()
            || cause.is::<crate::store::StoreError>()
            || cause.is::<crate::netbox::view::DefaultsError>()
            || cause.is::<crate::worker::Unexpected>()
            || cause.is::<crate::source::record::RecordError>()
            || cause.is::<setup::NotFound>()
            || cause.is::<crate::plan::lookup::NotFound>()
            || cause.is::<std::net::AddrParseError>()
            || cause.downcast_ref::<crate::netbox::view::ViewError>().is_some_and(|error| match error {
                crate::netbox::view::ViewError::NetBox(error) => is_users_netbox(error),
                crate::netbox::view::ViewError::Defaults(_) => true,
            })
            || cause.downcast_ref::<crate::netbox::Error>().is_some_and(is_users_netbox)
            || cause.downcast_ref::<crate::netbox::bootstrap::Error>().is_some()
            || cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
                matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound
                        | std::io::ErrorKind::PermissionDenied
                        | std::io::ErrorKind::AddrInUse
                        | std::io::ErrorKind::AddrNotAvailable
                )
            })
    })
}

const fn is_users_netbox(error: &crate::netbox::Error) -> bool {
    use crate::netbox::Error;
    !matches!(error, Error::Server { .. } | Error::Rejected { .. } | Error::Changed { .. })
}
