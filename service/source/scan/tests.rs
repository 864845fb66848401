//! The configuration, and a scan of what every machine has.

use super::*;
use crate::model::{FactKind, Timestamp};

fn config(text: &str) -> Result<Config, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn the_shortest_configuration_has_sensible_defaults() {
    let config = config(r#"{"name": "lan", "subnets": ["192.0.2.0/24"]}"#).unwrap();
    assert_eq!((config.packets_per_second, config.rounds, config.max_addresses), (1000, 6, 65_536));
    assert!(!config.reverse_dns && !config.ipv6);
    let again = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::from_value::<Config>(again).unwrap(), config);
    config.build(&[]).map(|_| ()).unwrap();
}

#[test]
fn what_cannot_work_is_refused() {
    assert!(config(r#"{"name": "lan", "subnets": ["192.0.2.0/33"]}"#).is_err());
    assert!(config(r#"{"name": "lan", "subnet": []}"#).unwrap_err().to_string().contains("`subnet`"));
    for key in ["packets_per_second", "rounds", "max_addresses"] {
        let text = format!(r#"{{"name": "lan", "subnets": ["192.0.2.0/24"], "{key}": 0}}"#);
        let Err(error) = config(&text).unwrap().build(&[]) else { panic!("{key} is 0") };
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn the_time_limit_grows_with_the_subnets() {
    let longest = |subnet: &str| {
        let config = config(&format!(r#"{{"name": "lan", "subnets": ["{subnet}"]}}"#)).unwrap();
        config.build(&[]).unwrap().longest().unwrap()
    };
    assert!(longest("198.51.100.0/29") < Duration::from_secs(15), "{:?}", longest("198.51.100.0/29"));
    assert!(longest("198.18.0.0/16") > Duration::from_secs(6 * 65));
}

#[tokio::test]
async fn what_is_too_large_is_a_gap_and_nothing_is_sent() {
    let config = config(r#"{"name": "lan", "subnets": ["10.0.0.0/8", "2001:db8::/64"]}"#).unwrap();
    let mut sink = Collection::new(config.name.clone(), Timestamp(0));
    let source = config.build(&[]).unwrap();
    source.collect(&mut sink).await;
    assert_eq!(sink.gaps.len(), 2, "{:?}", sink.gaps);
    assert!(sink.gaps.iter().all(|gap| gap.facts == FactKind::Scan));
    assert!(source.check().await.iter().all(|check| check.outcome.is_err()));
}
