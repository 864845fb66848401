//! Reverse DNS: what the system's name servers call the addresses that answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// resolv.conf(5).
const CONFIGURATION: &str = "/etc/resolv.conf";

/// A name server on the same network answers in milliseconds; one that has to ask others takes longer.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// UDP may lose a packet.
const TRIES: usize = 2;

/// Questions under way: few enough for a name server in a home router.
const CONCURRENCY: usize = 16;

/// After so many addresses without any answer there is no name server.
const GIVE_UP: usize = 16;

/// Larger than every answer without EDNS (RFC 1035 section 4.2.1: 512).
const BUFFER: usize = 4096;

/// Names of these addresses, and what went wrong.
pub(super) async fn of(addresses: &BTreeSet<IpAddr>) -> (BTreeMap<IpAddr, String>, Option<String>) {
    let servers = match tokio::fs::read_to_string(CONFIGURATION).await {
        Ok(text) => name_servers(&text),
        Err(error) => return (BTreeMap::new(), Some(format!("reverse DNS: {CONFIGURATION}: {error}"))),
    };
    let mut names = BTreeMap::new();
    let (mut silent, mut has_answered) = (0, false);
    let mut asking = stream::iter(addresses.iter().copied())
        .map(|address| {
            let servers = &servers;
            async move { (address, ask(servers, address).await) }
        })
        .buffer_unordered(CONCURRENCY);
    while let Some((address, answer)) = asking.next().await {
        match answer {
            Some(name) => {
                has_answered = true;
                names.extend(name.map(|name| (address, name)));
            }
            None => silent += 1,
        }
        if !has_answered && silent >= GIVE_UP {
            break;
        }
    }
    let trouble = (silent > 0).then(|| {
        let known: Vec<String> = servers.iter().map(ToString::to_string).collect();
        format!("reverse DNS: no answer for {silent} addresses from {}", known.join(", "))
    });
    (names, trouble)
}

/// The `nameserver` lines.
fn name_servers(configuration: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "nameserver").then_some(())?;
        let address: IpAddr = words.next()?.parse().ok()?;
        Some(SocketAddr::from((address, 53)))
    };
    let found: Vec<SocketAddr> = configuration.lines().filter_map(server).collect();
    // resolv.conf(5): without any, the one on this machine.
    if found.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 53))] } else { found }
}

/// `Some(None)`: it has no name.
async fn ask(servers: &[SocketAddr], address: IpAddr) -> Option<Option<String>> {
    let mut question = Query::query(Name::from_ascii(reversed(address)).ok()?, RecordType::PTR);
    question.set_query_class(DNSClass::IN);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(question);
    let request = message.to_vec().ok()?;
    for _ in 0..TRIES {
        for server in servers {
            let Ok(Ok(response)) = timeout(ANSWER_TIME, exchange(*server, &request, &message)).await else {
                continue;
            };
            if matches!(response.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
                return Some(first_name(&response));
            }
        }
    }
    None
}

/// The name that an address has in DNS (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(address) => {
            let digits: Vec<String> = hex::encode(address.octets()).chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa.", digits.join("."))
        }
    }
}

/// The first of the names in alphabetical order: an address may have several, in an order that changes.
fn first_name(response: &Message) -> Option<String> {
    let names = response.answers.iter().filter_map(|record| match &record.data {
        RData::PTR(name) => Some(name.to_string().trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    });
    names.filter(|name| !name.is_empty()).min()
}

/// One datagram out, and the first one back that answers it.
async fn exchange(server: SocketAddr, request: &[u8], sent: &Message) -> std::io::Result<Message> {
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
        if let Some(bytes) = buffer.get(..length)
            && let Ok(response) = Message::from_vec(bytes)
            && response.metadata.id == sent.metadata.id
            && response.queries == sent.queries
        {
            return Ok(response);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_those_of_the_system() {
        let text = "# x\nsearch example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53 \nnameserver x\n";
        let shown: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.53:53", "[2001:db8::53]:53"]);
        assert_eq!(name_servers("")[0].to_string(), "127.0.0.1:53");
    }

    #[test]
    fn addresses_are_turned_round() {
        assert_eq!(reversed("192.0.2.7".parse().unwrap()), "7.2.0.192.in-addr.arpa.");
        assert_eq!(
            reversed("2001:db8::567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
        );
    }

    #[tokio::test]
    async fn a_name_server_is_asked() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let mut buffer = [0; BUFFER];
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            let asked = message.queries[0].name().clone();
            assert_eq!(asked.to_string(), "7.2.0.192.in-addr.arpa.");
            message.metadata.message_type = hickory_proto::op::MessageType::Response;
            for name in ["zebra.example.org.", "Printer.example.org."] {
                let name = hickory_proto::rr::rdata::PTR(Name::from_ascii(name).unwrap());
                message.add_answer(hickory_proto::rr::Record::from_rdata(
                    asked.clone(),
                    60,
                    RData::PTR(name),
                ));
            }
            socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
        });
        let name = ask(&[server], IpAddr::from([192, 0, 2, 7])).await;
        assert_eq!(name, Some(Some("printer.example.org".to_owned())));
        answering.await.unwrap();
    }
}
