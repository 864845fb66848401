//! Which commands are asked of Kea and which files are read, and what becomes of the answers.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::json;

use super::parse::{self, Row, Settings};
use super::talk::{Channel, KeaError};
use super::{Kea, Service, Ways, files};
use crate::model::{Collection, Fact, FactKind, SourceName};
use crate::source::remote::RemoteError;
use crate::source::run::{expect, read};
use crate::source::{Check, Source};

/// More leases than one server has; who gives more is broken.
const MAX_LEASES: usize = 1_000_000;

#[async_trait]
impl Source for Kea {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let asked = self.asked().await;
        if let Ways::Url(channel) = &self.ways {
            let named = |asked: &Vec<Service>| {
                let names: Vec<&str> = asked.iter().map(|service| service.as_str()).collect();
                format!("leads to {}{}", names.join(" and "), channel.remark())
            };
            let outcome = asked.as_ref().map(named).map_err(KeaError::to_string);
            checks.push(Check { what: format!("{}: log in", self.name), outcome });
        }
        let asked = asked.unwrap_or_default();
        for service in &asked {
            self.check_service(*service, &mut checks).await;
        }
        for (service, file) in Service::ALL.into_iter().zip(&self.files) {
            let Some(file) = file else { continue };
            let read = files::read(&self.place, file, self.timeout).await;
            let outcome = read.and_then(|leases| match leases.fault() {
                Some(fault) => Err(RemoteError::Content(fault)),
                None => Ok(leases.summary()),
            });
            let source = format!("{}: {}", self.name, service.as_str());
            checks.extend(self.place.checks(&source, file, outcome));
        }
        checks
    }

    async fn collect(&self, sink: &mut Collection) {
        // Only what this source reads: a server that is silent must not look like a hypervisor that is.
        expect(sink, &[FactKind::Leases]);
        if !matches!(self.ways, Ways::None) {
            expect(sink, &[FactKind::Networks]);
        }
        let (asked, silent) = match self.asked().await {
            Ok(asked) => (asked, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if let Some(error) = &silent {
            sink.gap(FactKind::Networks, error.to_string());
        }
        if let Some(error) = silent {
            // A server that nobody says is not there may have leases that no file gives.
            let meant = if self.services.is_empty() { &Service::ALL[..] } else { &self.services };
            let missing: Vec<&str> = meant
                .iter()
                .filter(|service| self.file(**service).is_none())
                .map(|service| service.as_str())
                .collect();
            if !missing.is_empty() {
                sink.gap(FactKind::Leases, format!("{}: {error}", missing.join(", ")));
            }
        }
        for (service, file) in Service::ALL.into_iter().zip(&self.files) {
            if asked.contains(&service) || file.is_some() {
                self.read_service(service, asked.contains(&service), sink).await;
            }
        }
        read(sink, FactKind::Leases);
        read(sink, FactKind::Networks);
    }
}

impl Kea {
    fn channel(&self, service: Service) -> Option<&Channel> {
        match &self.ways {
            Ways::Url(channel) => Some(channel),
            Ways::Sockets([four, six]) => match service {
                Service::Dhcp4 => four.as_ref(),
                Service::Dhcp6 => six.as_ref(),
            },
            Ways::None => None,
        }
    }

    /// The servers that can be asked.
    async fn asked(&self) -> Result<Vec<Service>, KeaError> {
        let Ways::Url(channel) = &self.ways else {
            let by_socket = |service: &Service| self.channel(*service).is_some();
            return Ok(Service::ALL.into_iter().filter(by_socket).collect());
        };
        if !self.services.is_empty() {
            return Ok(self.services.clone());
        }
        let answer = channel.ask(None, "config-get", None).await?;
        let named = parse::agent_services(&answer);
        let found: Vec<Service> = Service::ALL
            .into_iter()
            .filter(|service| named.iter().any(|name| name == service.as_str()))
            .collect();
        if found.is_empty() {
            let why = if parse::is_agent(&answer) {
                "the agent leads to no DHCP server; hint: \"control-sockets\" of its configuration needs dhcp4 or dhcp6"
            } else {
                "who answers is neither an agent nor a DHCP server; hint: is it the right port?"
            };
            return Err(KeaError::Malformed("config-get".to_owned(), why.to_owned()));
        }
        Ok(found)
    }

    async fn check_service(&self, service: Service, checks: &mut Vec<Check>) {
        let Some(channel) = self.channel(service) else { return };
        let what = |doing: &str| format!("{}: {} {doing}", self.name, service.as_str());
        match channel.ask(Some(service), "version-get", None).await {
            Ok(answer) => checks.push(Check::passed(what("answers"), format!("Kea {}", answer.text))),
            Err(error) => return checks.push(Check::failed(what("answers"), error.to_string())),
        }
        checks.push(match self.settings(channel, service).await {
            Ok(settings) => Check::passed(what("subnets"), settings.summary()),
            Err(error) => Check::failed(what("subnets"), error.to_string()),
        });
        let first = json!({"from": "start", "limit": 1});
        checks.push(match channel.ask(Some(service), service.page_command(), Some(first)).await {
            Ok(_) => Check::passed(what("leases"), "the hook library lease_cmds is loaded"),
            Err(error) => {
                let why = explain(service, &error);
                match self.file(service) {
                    Some(file) => Check::passed(
                        what("leases"),
                        format!("from {}, because {why}", self.place.names(file)),
                    ),
                    None => Check::failed(what("leases"), why),
                }
            }
        });
    }

    const fn file(&self, service: Service) -> Option<&String> {
        match service {
            Service::Dhcp4 => self.files[0].as_ref(),
            Service::Dhcp6 => self.files[1].as_ref(),
        }
    }

    async fn read_service(&self, service: Service, is_asked: bool, sink: &mut Collection) {
        let name = service.as_str();
        let mut settings = None;
        let mut rows = None;
        let mut why = None;
        if let Some(channel) = self.channel(service).filter(|_| is_asked) {
            let mut fatal = None;
            match self.settings(channel, service).await {
                Ok(found) => {
                    sink.facts.extend(found.networks());
                    settings = Some(found);
                }
                Err(error) => {
                    sink.gap(FactKind::Networks, format!("{name}: {error}"));
                    fatal = Some(error).filter(KeaError::is_fatal);
                }
            }
            let found = match fatal {
                Some(error) => Err(error),
                None => self.pages(channel, service, sink).await,
            };
            match found {
                Ok(found) => rows = Some(found),
                Err(error) => why = Some(explain(service, &error)),
            }
        }
        if let (None, Some(file)) = (&rows, self.file(service)) {
            match files::read(&self.place, file, self.timeout).await {
                Ok(leases) => {
                    tracing::info!(source.name = %self.name, file, found = leases.summary(), "read a lease file");
                    if let Some(fault) = leases.fault() {
                        sink.gap(FactKind::Leases, format!("{name}: {fault}"));
                    }
                    rows = Some(leases.into_rows());
                    if let Some(why) = why.take() {
                        tracing::info!(source.name = %self.name, why, file, "leases are read from the file");
                    }
                }
                Err(fault) => {
                    let why = why.take().map(|why| format!("{why}; ")).unwrap_or_default();
                    sink.gap(FactKind::Leases, format!("{name}: {why}{fault}"));
                }
            }
        }
        if let Some(why) = why {
            sink.gap(FactKind::Leases, format!("{name}: {why}"));
        }
        let leases = parse::leases(rows.unwrap_or_default(), settings.as_ref(), sink.observed_at);
        if leases.cardless > 0 {
            let cardless = leases.cardless;
            tracing::info!(source.name = %self.name, service = name, cardless, "leases name no network card");
        }
        sink.facts.extend(leases.facts.into_iter().map(Fact::DhcpLease));
    }

    async fn settings(&self, channel: &Channel, service: Service) -> Result<Settings, KeaError> {
        Ok(parse::settings(&channel.ask(Some(service), "config-get", None).await?))
    }

    /// All leases, page by page: the last address of one is where the next begins. Their order is Kea's affair.
    async fn pages(
        &self,
        channel: &Channel,
        service: Service,
        sink: &mut Collection,
    ) -> Result<Vec<Row>, KeaError> {
        let command = service.page_command();
        let wrong = |why: String| KeaError::Malformed(command.to_owned(), why);
        let mut rows: Vec<Row> = Vec::new();
        let mut malformed = 0;
        let mut seen = BTreeSet::new();
        let mut from = "start".to_owned();
        loop {
            let arguments = json!({"from": from, "limit": self.page_size});
            let page = parse::page(&channel.ask(Some(service), command, Some(arguments)).await?);
            rows.extend(page.rows);
            malformed += page.malformed;
            if rows.len() > MAX_LEASES {
                return Err(wrong(format!("there are over {MAX_LEASES} leases")));
            }
            let is_last = page.count < usize::try_from(self.page_size).unwrap_or(usize::MAX);
            match page.last {
                Some(last) if !is_last => {
                    if !seen.insert(last.clone()) {
                        return Err(wrong(format!("the pages go round in a circle at {last}")));
                    }
                    from = last;
                }
                _ => break,
            }
        }
        if malformed > 0 {
            sink.gap(FactKind::Leases, format!("{}: {malformed} leases cannot be read", service.as_str()));
        }
        Ok(rows)
    }
}

/// Why there are no leases, and what to do.
fn explain(service: Service, error: &KeaError) -> String {
    match error {
        KeaError::Unsupported(_) => format!(
            "the hook library lease_cmds is not loaded; hint: add {{\"library\": \"/usr/lib/.../kea/hooks/libdhcp_lease_cmds.so\"}} \
             to \"hooks-libraries\" of the server and reload it, or set `{}`",
            service.file_key()
        ),
        other => other.to_string(),
    }
}
