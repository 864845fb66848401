//! DNS questions from where Surveyor runs, before and after a push: what clients see is what counts.
//!
//! Without recursion desired, Unbound answers its local data and refuses the rest at once (access-control `allow`), so a
//! question about a removed name never waits for the public DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use crate::plan::dns::{Probes, Record, RecordValue};

/// A server on the same network answers local data in milliseconds.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// UDP may lose a packet or two.
const TRIES: usize = 3;

/// Pause before a wrong answer is asked again: the last worker thread may still be loading.
const PAUSE: Duration = Duration::from_millis(200);

/// Larger than every answer without EDNS (RFC 1035 section 4.2.1: 512).
const BUFFER: usize = 4096;

/// Whether this server answers us at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Answers,
    Silent,
}

/// Why a push is not proved to be served.
#[derive(Debug)]
pub(super) enum Doubt {
    /// The server did not answer us before either.
    CannotAsk(String),
    /// It answers, and something else than it should.
    Wrong(String),
}

/// Asks for a record that was there before.
pub(super) async fn before(server: &str, probes: &Probes) -> Before {
    match probes.kept.first().or(probes.removed.first()) {
        Some(record) if answers(server, record).await.is_ok_and(|found| found.is_some()) => Before::Answers,
        _ => Before::Silent,
    }
}

/// New and kept records must be answered, removed ones must not.
pub(super) async fn after(server: &str, probes: &Probes, before: Before) -> Result<(), Doubt> {
    let wanted = probes.added.first().into_iter().chain(probes.kept.first()).map(|record| (record, true));
    let unwanted = probes.removed.first().map(|record| (record, false));
    for (record, expected) in wanted.chain(unwanted) {
        let mut doubt = None;
        for _ in 0..TRIES {
            doubt = match (answers(server, record).await, expected) {
                (Ok(Some(addresses)), true) if addresses.contains(&record.value.address()) => None,
                (Ok(Some(addresses)), false) if addresses.contains(&record.value.address()) => {
                    Some(Doubt::Wrong(format!("`{server}` still answers the removed record {record}")))
                }
                (_, false) => None,
                (Ok(Some(addresses)), true) => Some(Doubt::Wrong(format!(
                    "`{server}` answers {addresses:?} where it should answer {record}"
                ))),
                (Ok(None), true) => {
                    Some(unanswered(before, format!("`{server}` refuses to answer {record}")))
                }
                (Err(why), true) => {
                    Some(unanswered(before, format!("`{server}` does not answer {record}: {why}")))
                }
            };
            if doubt.is_none() {
                break;
            }
            sleep(PAUSE).await;
        }
        if let Some(doubt) = doubt {
            return Err(doubt);
        }
    }
    Ok(())
}

fn unanswered(before: Before, why: String) -> Doubt {
    match before {
        Before::Answers => Doubt::Wrong(why),
        Before::Silent => Doubt::CannotAsk(why),
    }
}

/// The addresses that the server answers for the name of a record; `None` when it refuses.
async fn answers(server: &str, record: &Record) -> Result<Option<Vec<IpAddr>>, String> {
    let kind = match record.value {
        RecordValue::A(_) => RecordType::A,
        RecordValue::Aaaa(_) => RecordType::AAAA,
        RecordValue::Ptr { .. } => RecordType::PTR,
    };
    let name = Name::from_ascii(format!("{}.", record.name)).map_err(|error| error.to_string())?;
    let mut question = Query::query(name, kind);
    question.set_query_class(DNSClass::IN);
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(question);
    let request = message.to_vec().map_err(|error| error.to_string())?;
    let mut why = String::new();
    for _ in 0..TRIES {
        match timeout(ANSWER_TIME, exchange(server, &request, &message)).await {
            Ok(Ok(response)) if response.metadata.response_code == ResponseCode::Refused => return Ok(None),
            Ok(Ok(response)) => return Ok(Some(addresses(&response))),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => "no answer".clone_into(&mut why),
        }
    }
    Err(why)
}

fn addresses(response: &Message) -> Vec<IpAddr> {
    let address = |record: &hickory_proto::rr::Record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    };
    response.answers.iter().filter_map(address).collect()
}

/// One datagram out, and the first one back that answers it.
async fn exchange(server: &str, request: &[u8], sent: &Message) -> std::io::Result<Message> {
    let mut found = tokio::net::lookup_host(server).await?;
    let server = found.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    // Connected: only this server's datagrams arrive, and a closed port is an error rather than silence.
    socket.connect(server).await?;
    socket.send(request).await?;
    let mut buffer = [0; BUFFER];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Ok(response) = Message::from_vec(&buffer[..length])
            && response.metadata.id == sent.metadata.id
            && response.queries == sent.queries
        {
            return Ok(response);
        }
    }
}
