//! Random choices that a key decides: the same key draws the same, and nobody without it can tell what was drawn.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Key;

/// A keyed digest of labelled bytes.
pub(super) fn digest(key: &Key, label: &str, bytes: &[u8]) -> [u8; 32] {
    let mut code = <Hmac<Sha256>>::new_from_slice(&key.0)
        .unwrap_or_else(|_| <Hmac<Sha256>>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    code.update(label.as_bytes());
    code.update(&[0]);
    code.update(bytes);
    code.finalize().into_bytes().into()
}

/// An endless row of draws.
#[derive(Clone)]
pub(super) struct Draws {
    key: Key,
    label: String,
    count: u64,
    left: Vec<u8>,
}

impl Draws {
    /// Draws for one purpose.
    pub(super) fn new(key: &Key, purpose: &str, attempt: u32) -> Self {
        Self { key: key.clone(), label: format!("{purpose} {attempt}"), count: 0, left: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        if self.left.is_empty() {
            self.left = digest(&self.key, &self.label, &self.count.to_be_bytes()).to_vec();
            self.count += 1;
        }
        self.left.pop().unwrap_or_default()
    }

    /// A number below `limit`, all equally likely but for one part in a billion.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let wide = (0..8).fold(0_u64, |number, _| number << 8 | u64::from(self.byte()));
        u32::try_from(wide % u64::from(limit.max(1))).unwrap_or_default()
    }

    /// So many different numbers of `from..to` in ascending order. Those to avoid are taken only where there are no others left;
    /// where the range is too small altogether, numbers repeat.
    pub(super) fn ascending(&mut self, count: usize, from: u32, to: u32, avoid: &BTreeSet<u32>) -> Vec<u32> {
        let size = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let avoided = avoid.range(from..to.max(from)).count();
        let mut chosen: BTreeSet<u32> = BTreeSet::new();
        if count.saturating_add(avoided).saturating_mul(2) <= size {
            while chosen.len() < count {
                let number = from + self.below(to - from);
                if !avoid.contains(&number) {
                    chosen.insert(number);
                }
            }
        } else {
            let (mut free, mut rest): (Vec<u32>, Vec<u32>) =
                (from..to).partition(|number| !avoid.contains(number));
            while chosen.len() < count.min(size) {
                let pool = if free.is_empty() { &mut rest } else { &mut free };
                let index = self.below(u32::try_from(pool.len()).unwrap_or(u32::MAX));
                chosen.insert(pool.swap_remove(usize::try_from(index).unwrap_or_default()));
            }
        }
        let mut sorted: Vec<u32> = chosen.into_iter().collect();
        while sorted.len() < count {
            sorted.push(sorted.last().copied().unwrap_or(from));
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn another_key_draws_otherwise() {
        let draw = |key: u8, purpose: &str, attempt| {
            Draws::new(&Key([key; 32]), purpose, attempt).ascending(4, 0, 1 << 24, &BTreeSet::new())
        };
        assert_eq!(draw(1, "x", 0), draw(1, "x", 0));
        assert_ne!(draw(1, "x", 0), draw(2, "x", 0));
        assert_ne!(draw(1, "x", 0), draw(1, "y", 0));
        assert_ne!(draw(1, "x", 0), draw(1, "x", 1));
    }

    proptest! {
        #[test]
        fn what_is_drawn_ascends_and_is_not_what_was_to_be_avoided(
            key: [u8; 32], count in 0..40_usize, from in 0..20_u32, size in 1..200_u32,
            avoid in proptest::collection::btree_set(0..220_u32, 0..60)
        ) {
            let to = from + size;
            let drawn = Draws::new(&Key(key), "test", 0).ascending(count, from, to, &avoid);
            prop_assert_eq!(drawn.len(), count);
            prop_assert!(drawn.iter().all(|number| (from..to).contains(number)));
            let room = (from..to).filter(|number| !avoid.contains(number)).count();
            if room >= count {
                prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(drawn.iter().all(|number| !avoid.contains(number)));
            }
        }
    }
}
