//! The source behind a network that loses, delays and swallows datagrams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::live::{Agent, agent, assert_same, collect, comparable, config, recorded, source};
use super::{Config, recording};
use crate::model::FactKind;

/// What happens to the `n`th answer of the agent, of this many octets.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Pass,
    Drop,
    Late(Duration),
}

/// A UDP proxy in front of the agent; stops when dropped.
struct Proxy {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn proxy(agent: SocketAddr, fate: impl Fn(u32, usize) -> Fate + Send + 'static) -> Proxy {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    back.connect(agent).await.unwrap();
    let address = front.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut question, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
        let mut asker = None;
        let mut answers = 0;
        loop {
            tokio::select! {
                received = front.recv_from(&mut question) => {
                    let Ok((length, from)) = received else { continue };
                    asker = Some(from);
                    let _sent = back.send(&question[..length]).await;
                }
                received = back.recv(&mut answer) => {
                    let (Ok(length), Some(to)) = (received, asker) else { continue };
                    answers += 1;
                    match fate(answers, length) {
                        Fate::Drop => {}
                        Fate::Pass => {
                            let _sent = front.send_to(&answer[..length], to).await;
                        }
                        Fate::Late(delay) => {
                            let (front, late) = (Arc::clone(&front), answer[..length].to_vec());
                            tokio::spawn(async move {
                                tokio::time::sleep(delay).await;
                                let _sent = front.send_to(&late, to).await;
                            });
                        }
                    }
                }
            }
        }
    });
    Proxy { address, task }
}

fn quick(address: SocketAddr, retries: u32) -> Config {
    Config { timeout_seconds: 1, retries, ..config(address) }
}

fn one_device() -> Option<(Agent, Vec<String>)> {
    let path = recorded("zynos_gs1900-fdb")?;
    let expected = comparable(&recording::parse(&recording::read(&path), "sw1"));
    Some((agent(&[("sw", path)])?, expected))
}

#[tokio::test]
async fn loss_costs_time_but_no_row() {
    let Some((agent, expected)) = one_device() else { return };
    let lossy = proxy(agent.address, |n, _| if n % 13 == 5 { Fate::Drop } else { Fate::Pass }).await;
    let sink = collect(&*source(quick(lossy.address, 3), &agent.community("sw"))).await;
    assert!(sink.gaps.is_empty(), "{:?}", sink.gaps);
    assert_same(&comparable(&sink), &expected, "through the proxy");
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_question() {
    let Some((agent, expected)) = one_device() else { return };
    let late = Duration::from_millis(1_300);
    let late =
        proxy(agent.address, move |n, _| if n % 17 == 3 { Fate::Late(late) } else { Fate::Pass }).await;
    let sink = collect(&*source(quick(late.address, 3), &agent.community("sw"))).await;
    assert!(sink.gaps.is_empty(), "{:?}", sink.gaps);
    assert_same(&comparable(&sink), &expected, "through the proxy");
}

#[tokio::test]
async fn an_agent_that_swallows_large_answers_is_asked_for_less() {
    let Some((agent, expected)) = one_device() else { return };
    let small = proxy(agent.address, |_, length| if length > 700 { Fate::Drop } else { Fate::Pass }).await;
    let sink = collect(&*source(quick(small.address, 0), &agent.community("sw"))).await;
    assert!(sink.gaps.is_empty(), "{:?}", sink.gaps);
    assert_same(&comparable(&sink), &expected, "through the proxy");
}

#[tokio::test]
async fn a_device_that_dies_leaves_what_was_read_and_gaps_for_the_rest() {
    let Some((agent, _)) = one_device() else { return };
    let dying = proxy(agent.address, |n, _| if n > 20 { Fate::Drop } else { Fate::Pass }).await;
    let sink = collect(&*source(quick(dying.address, 0), &agent.community("sw"))).await;
    assert!(!sink.facts.is_empty());
    assert!(sink.fdb.is_empty());
    for kind in [FactKind::Interfaces, FactKind::Lldp, FactKind::Neighbors, FactKind::Fdb] {
        assert!(sink.has_gap(kind), "{kind:?}: {:?}", sink.gaps);
    }
    assert!(sink.gaps.len() <= 6, "one gap for each kind: {:?}", sink.gaps);
}

#[tokio::test]
async fn rows_beyond_the_limit_are_a_gap() {
    let Some((agent, _)) = one_device() else { return };
    let limited = Config { max_rows: 10, ..config(agent.address) };
    let sink = collect(&*source(limited, &agent.community("sw"))).await;
    assert!(sink.fdb.is_empty(), "ports cannot be told apart by half an interface table");
    assert!(
        sink.gaps.iter().any(|gap| gap.facts == FactKind::Interfaces && gap.reason.contains("max_rows")),
        "{:?}",
        sink.gaps
    );
    assert!(sink.has_gap(FactKind::Fdb));
}
