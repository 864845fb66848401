//! Durations as RouterOS prints them: `1h12m38s`, `2d3h`, `1w2d03:04:05`, `500ms`, `never`. Pure.

/// Milliseconds; `None` for `never` and for anything that is no duration.
pub(super) fn millis(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if after.starts_with(':') {
            return total.checked_add(clock(rest)?);
        }
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let number: i64 = number.parse().ok()?;
        let part = match unit {
            // Finer than anything here needs; RouterOS prints it in some timers.
            "us" => number / 1000,
            "ms" => number,
            "s" => number.checked_mul(1000)?,
            "m" => number.checked_mul(60_000)?,
            "h" => number.checked_mul(3_600_000)?,
            "d" => number.checked_mul(86_400_000)?,
            "w" => number.checked_mul(604_800_000)?,
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// `03:04:05` or `03:04:05.5`, as the console and version 6 print the last part.
fn clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let mut next = || parts.next()?.parse::<u32>().ok().map(i64::from);
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    if parts.next().is_some() || minutes > 59 || seconds > 59 || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1000;
    const HOUR: i64 = 3600 * SECOND;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn every_form_that_devices_print() {
        for (text, expected) in [
            ("1h12m38s", Some(HOUR + 12 * 60 * SECOND + 38 * SECOND)),
            ("2d3h", Some(2 * DAY + 3 * HOUR)),
            ("4w2d7h12m40s", Some(30 * DAY + 7 * HOUR + 12 * 60 * SECOND + 40 * SECOND)),
            ("1w2d03:04:05", Some(9 * DAY + 3 * HOUR + 4 * 60 * SECOND + 5 * SECOND)),
            ("00:10:00", Some(600 * SECOND)),
            ("00:00:01.5", Some(1500)),
            ("1s250ms", Some(1250)),
            ("900us", Some(0)),
            ("0s", Some(0)),
            ("never", None),
            ("", None),
            ("12", None),
            ("s", None),
            ("1x", None),
            ("00:99:00", None),
            ("1d00:00", None),
            ("99999999999999999999w", None),
            ("9999999999999999w", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(w in 0..200_i64, d in 0..7_i64, h in 0..24_i64, m in 0..60_i64, s in 0..60_i64) {
            let expected = ((((w * 7 + d) * 24 + h) * 60 + m) * 60 + s) * SECOND;
            prop_assert_eq!(millis(&format!("{w}w{d}d{h}h{m}m{s}s")), Some(expected));
            prop_assert_eq!(millis(&format!("{w}w{d}d{h:02}:{m:02}:{s:02}")), Some(expected));
        }

        #[test]
        fn it_is_total(text in "[0-9wdhmsu:.é-]{0,24}|.{0,24}") {
            let _any: Option<i64> = millis(&text);
        }
    }
}
