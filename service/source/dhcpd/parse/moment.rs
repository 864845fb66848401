//! Dates as ISC dhcpd writes them. Pure.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

/// When something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Then.
    At(Timestamp),
    /// Never, or after the year 9999.
    Never,
}

/// The words of a date: `4 2026/11/19 10:00:00` (weekday, then UTC), `epoch 1795265851`, `never`. The weekday is not looked at, as
/// dhcpd does not look at it either.
pub(super) fn moment(words: &[Option<&str>]) -> Option<Moment> {
    match words {
        [Some("never")] => Some(Moment::Never),
        [Some("epoch"), Some(seconds)] => at(seconds.parse().ok()?),
        [Some(_), Some(day), Some(time)] => {
            let [year, month, day] = numbers(day, '/')?;
            let [hour, minute, second] = numbers(time, ':')?;
            if year > 9999 {
                return Some(Moment::Never);
            }
            let part = |number: i64| i8::try_from(number).ok();
            let civil = DateTime::new(
                i16::try_from(year).ok()?,
                part(month)?,
                part(day)?,
                part(hour)?,
                part(minute)?,
                part(second)?,
                0,
            );
            at(TimeZone::UTC.to_timestamp(civil.ok()?).ok()?.as_second())
        }
        _ => None,
    }
}

fn at(seconds: i64) -> Option<Moment> {
    Some(Moment::At(Timestamp(seconds.checked_mul(1000)?)))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut next = || {
        let part = parts.next()?;
        (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok()).flatten()
    };
    let found = [next()?, next()?, next()?];
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let words: Vec<Option<&str>> = text.split(' ').map(Some).collect();
        moment(&words).map(|moment| match moment {
            Moment::At(moment) => moment.to_string(),
            Moment::Never => "never".to_owned(),
        })
    }

    #[test]
    fn every_form_that_dhcpd_writes() {
        for (text, expected) in [
            ("6 2026/11/21 13:08:44", Some("2026-11-21T13:08:44Z")),
            ("0 2024/2/29 0:0:0", Some("2024-02-29T00:00:00Z")),
            ("epoch 1795265851", Some("2026-11-21T12:57:31Z")),
            ("never", Some("never")),
            ("5 12026/11/21 13:08:44", Some("never")),
            ("6 2026/02/30 13:08:44", None),
            ("6 2026/11/21 25:08:44", None),
            ("6 2026/11/21 13:08", None),
            ("6 2026/11/21 13:08:44:01", None),
            ("6 2026-11-21 13:08:44", None),
            ("6 -2026/11/21 13:08:44", None),
            ("epoch x", None),
            ("epoch 9223372036854775807", None),
            ("soon", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }
}
