//! When the next packet may be sent. Pure: what time it is comes in.

use std::time::Duration;

/// How far behind a sender may catch up at once: longer than one wait for an answer, short enough that a burst fits the
/// queues of a switch.
const SLACK: Duration = Duration::from_millis(20);

/// An even stream of packets (the generic cell rate algorithm, ITU-T I.371): on average never more than the rate, in bursts
/// of at most [`SLACK`].
#[derive(Debug, Clone)]
pub(super) struct Pace {
    interval: Duration,
    next: Duration,
}

impl Pace {
    /// At most so many packets a second.
    pub(super) fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), next: Duration::ZERO }
    }

    /// Whether a packet may be sent now, `now` being the time since the beginning; if so it counts as sent.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        if now < self.next {
            return false;
        }
        self.next = self.next.max(now.saturating_sub(SLACK)) + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets sent until `end` by somebody who looks every `step`.
    fn sent(pace: &mut Pace, from: Duration, end: Duration, step: Duration) -> usize {
        let mut count = 0;
        let mut now = from;
        while now < end {
            while pace.take(now) {
                count += 1;
            }
            now += step;
        }
        count
    }

    #[test]
    fn the_rate_is_kept_however_seldom_one_looks() {
        for step in [1, 2, 5, 10, 20] {
            let mut pace = Pace::new(1000);
            let count = sent(&mut pace, Duration::ZERO, Duration::from_secs(2), Duration::from_millis(step));
            assert!((1960..=2001).contains(&count), "{count} with a look every {step} ms");
        }
    }

    #[test]
    fn a_machine_that_slept_does_not_send_everything_at_once() {
        let mut pace = Pace::new(1000);
        assert!(pace.take(Duration::ZERO));
        let after_sleep = Duration::from_secs(3600);
        let count =
            sent(&mut pace, after_sleep, after_sleep + Duration::from_micros(1), Duration::from_millis(1));
        assert!(count <= 21, "{count}");
    }

    #[test]
    fn one_packet_a_second_is_one_packet_a_second() {
        let mut pace = Pace::new(1);
        assert_eq!(
            sent(&mut pace, Duration::ZERO, Duration::from_millis(2990), Duration::from_millis(10)),
            3
        );
        assert!(Pace::new(0).take(Duration::ZERO));
    }
}
