//! Surveyor: a companion service for NetBox. It reads what is on the network, proposes it in NetBox as staged objects, and
//! makes true what a person approves there: cable, address, DNS.
//!
//! This is the map. `docs/ARCHITECTURE.md` follows one host through it; `docs/GLOSSARY.md` has the words.
//!
//! ```text
//!  source ──Collection──▶ correlate ──Discovery──▶ plan::stage ─────────┐
//!                            ▲                        ▲                 │ Plans
//!                            │ Known                  │ View            ▼
//!                            └──────── netbox::view ──┤               apply ──▶ NetBox
//!                                                     ▼                 ▲  │
//!  http ──hint──▶ store ──▶ worker ──────────▶ plan::materialize,       │  └──▶ store (receipts)
//!                              │               reject, rollback ────────┘
//!                              └─────────────▶ plan::dns ──▶ dns ──▶ Unbound
//! ```
//!
//! | module | holds | must not know |
//! |---|---|---|
//! | [`model`] | the nouns: MAC, name, observation, candidate, NetBox object | anything else of ours |
//! | [`correlate`] | observations to candidates, links, conflicts (pure) | NetBox, time, I/O |
//! | [`plan`] | what to write: steps from candidates or decisions and a view of NetBox (pure) | clock, network, database |
//! | [`scrub`] | pseudonyms for recordings that are sent to somebody else (pure) | where the key comes from |
//! | [`transport`] | HTTP, TLS and SSH clients, secrets from files | NetBox, sources, DNS |
//! | [`source`] | systems that are read: `RouterOS`, Linux, Proxmox VE, SNMP, scans; recordings | NetBox, the store, plans |
//! | [`netbox`] | the REST client, the view planners read, bootstrap | sources, DNS, the store |
//! | [`dns`] | Unbound servers over SSH | NetBox, sources, the store |
//! | [`store`] | the local database: inbox, receipts, locks | NetBox, sources, DNS, the clock |
//! | [`apply`] | executes plans: intent, effect, receipt | why a step was planned |
//! | [`worker`] | one discovery run, one approval run, and the loops of `serve` | how a command prints |
//! | [`http`] | the webhook receiver, `/health`, `/metrics` | NetBox, sources, plans |
//! | [`config`] | the file as typed, and as checked | how anything is done |
//! | [`cli`] | one file a command, what is printed, exit codes | |
//! | [`clock`], [`telemetry`] | what time it is; logs | |
//!
//! `model`, `correlate`, `plan`, `scrub` and every `parse` module hold no `async`, no I/O, no clock and no randomness: the present
//! moment is a parameter. `source`, `netbox`, `dns` and `store` do not import each other.

pub mod apply;
pub mod cli;
pub mod clock;
pub mod config;
pub mod correlate;
pub mod dns;
pub mod http;
pub mod model;
pub mod netbox;
pub mod plan;
pub mod scrub;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod worker;
