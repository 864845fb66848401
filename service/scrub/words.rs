//! Pseudonyms of words: letters for letters, digits for digits, as many, in the same order. Words that begin alike have pseudonyms
//! that begin alike, so that abbreviations stay abbreviations and names sort as before.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Key;
use super::draw::Draws;

/// Other scripts' letters become these: none of them is a letter of a host name.
const FOREIGN: u32 = 0x4e00;
const FOREIGN_END: u32 = 0x9f00;

/// Draws of one set of letters, of which the one that changes most is taken.
const DRAWS: usize = 4;

/// The pseudonyms, by word in lower case.
#[derive(Debug, Default)]
pub(super) struct Words {
    of: HashMap<String, Vec<char>>,
    kept: BTreeSet<String>,
}

impl Words {
    /// Chooses pseudonyms for these words, which are in lower case. Those in `kept` stay, and the others stay before or behind them.
    pub(super) fn choose(known: &BTreeSet<String>, kept: &BTreeSet<String>, key: &Key, attempt: u32) -> Self {
        let mut draws = Draws::new(key, "word", attempt);
        let mut of = HashMap::new();
        let words: Vec<Vec<char>> = known.union(kept).map(|word| word.chars().collect()).collect();
        let fixed: HashSet<&[char]> = words
            .iter()
            .filter(|word| kept.contains(&word.iter().collect::<String>()))
            .map(Vec::as_slice)
            .collect();
        // Words that share a beginning, and its pseudonym.
        let mut open: Vec<(Vec<&[char]>, Vec<char>)> =
            vec![(words.iter().map(Vec::as_slice).collect(), Vec::new())];
        while let Some((group, begun)) = open.pop() {
            let depth = begun.len();
            let mut next: BTreeMap<char, Vec<&[char]>> = BTreeMap::new();
            for word in group {
                match word.get(depth) {
                    Some(c) => next.entry(*c).or_default().push(word),
                    None => {
                        of.insert(word.iter().collect(), begun.clone());
                    }
                }
            }
            let is_fixed = |group: &Vec<&[char]>| group.iter().any(|word| fixed.contains(word));
            let known: Vec<(char, bool)> = next.iter().map(|(c, group)| (*c, is_fixed(group))).collect();
            let chosen = letters(&known, &mut draws);
            for ((_, group), letter) in next.into_iter().zip(chosen) {
                let mut begun = begun.clone();
                begun.push(letter);
                open.push((group, begun));
            }
        }
        Self { of, kept: kept.clone() }
    }

    /// The pseudonym, with capitals where the word has them.
    pub(super) fn get(&self, word: &str) -> String {
        let Some(new) = self.of.get(&lower(word)) else { return word.to_owned() };
        let capitals = word.chars().map(|c| c.is_ascii_uppercase());
        let cased = new.iter().zip(capitals);
        cased.map(|(c, capital)| if capital { c.to_ascii_uppercase() } else { *c }).collect()
    }

    /// Words whose pseudonym is the word itself, or another one of the original that is long enough to mean something.
    pub(super) fn clashes(&self) -> usize {
        let is_clash = |(old, new): &(&String, &Vec<char>)| {
            let new: String = new.iter().collect();
            **old == new && new.len() > 1 && !self.kept.contains(&new)
                || new.len() >= 4 && self.of.contains_key(&new) && !self.kept.contains(&new)
        };
        self.of.iter().filter(is_clash).count()
    }
}

/// Host names are compared without regard to capitals, which only ASCII has there.
pub(super) fn lower(word: &str) -> String {
    word.to_ascii_lowercase()
}

/// Other characters for these, which are in order; so are those, each of its own kind, around the ones that stay.
fn letters(known: &[(char, bool)], draws: &mut Draws) -> Vec<char> {
    let mut new = Vec::with_capacity(known.len());
    for kind in known.chunk_by(|(a, _), (b, _)| kind(*a) == kind(*b)) {
        let Some((mut from, end)) = kind.first().map(|(c, _)| range(*c)) else { continue };
        for part in kind.split_inclusive(|(_, stays)| *stays) {
            let stays = part.last().filter(|(_, stays)| *stays).map(|(c, _)| *c);
            let free = part.len() - usize::from(stays.is_some());
            let free: Vec<char> = part.iter().take(free).map(|(c, _)| *c).collect();
            new.extend(others(&free, from, stays.map_or(end, u32::from), draws));
            new.extend(stays);
            from = stays.map_or(end, |c| u32::from(c) + 1);
        }
    }
    new
}

/// Other characters of a range for these.
fn others(known: &[char], from: u32, to: u32, draws: &mut Draws) -> Vec<char> {
    let none = BTreeSet::new();
    let mut best: Option<(usize, Vec<u32>)> = None;
    for _ in 0..DRAWS {
        let drawn = draws.ascending(known.len(), from, to, &none);
        let same = known.iter().zip(&drawn).filter(|(c, new)| u32::from(**c) == **new).count();
        if best.as_ref().is_none_or(|(least, _)| same < *least) {
            best = Some((same, drawn));
        }
    }
    let drawn = best.map(|(_, drawn)| drawn).unwrap_or_default();
    drawn.into_iter().map(|number| char::from_u32(number).unwrap_or('x')).collect()
}

/// Digits come before letters, and those before all others.
fn kind(c: char) -> u8 {
    match c {
        '0'..='9' => 0,
        'a'..='z' => 1,
        _ => 2,
    }
}

fn range(c: char) -> (u32, u32) {
    match kind(c) {
        0 => (u32::from('0'), u32::from('9') + 1),
        1 => (u32::from('a'), u32::from('z') + 1),
        _ => (FOREIGN, FOREIGN_END),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_keep_their_shape() {
        let known: BTreeSet<String> =
            ["printer", "print", "nas1", "nas12", "h\u{e4}n"].map(str::to_owned).into();
        let kept = BTreeSet::from(["mikrotik".to_owned()]);
        let words = Words::choose(&known, &kept, &Key([3; 32]), 0);
        assert_eq!(words.get("MikroTik"), "MikroTik");
        let printer = words.get("Printer");
        assert_eq!(printer.len(), 7);
        assert!(printer.starts_with(|c: char| c.is_ascii_uppercase()) && printer != "Printer");
        assert_eq!(printer.to_lowercase(), words.get("printer"));
        assert!(printer.to_lowercase().starts_with(&words.get("print")), "abbreviations stay");
        let nas = words.get("NAS12");
        assert!(
            nas[..3].bytes().all(|b| b.is_ascii_uppercase()) && nas[3..].bytes().all(|b| b.is_ascii_digit())
        );
        assert!(!words.get("h\u{e4}n").is_ascii(), "what is no host name stays none");
        assert_eq!(words.get("unknown"), "unknown");
    }

    proptest! {
        #[test]
        fn order_stays_and_different_words_stay_different(
            known in proptest::collection::btree_set("[a-z0-9\u{e0}-\u{ff}]{1,8}", 0..60),
            kept in proptest::collection::btree_set("[a-d]{1,3}", 0..3), key: [u8; 32]
        ) {
            let words = Words::choose(&known, &kept, &Key(key), 0);
            prop_assert!(kept.iter().all(|word| words.get(word) == *word));
            let known: BTreeSet<String> = known.union(&kept).cloned().collect();
            let new: Vec<String> = known.iter().map(|word| words.get(word)).collect();
            prop_assert!(new.windows(2).all(|pair| pair[0] < pair[1]), "{:?} {:?}", known, new);
            for (old, new) in known.iter().zip(&new) {
                prop_assert_eq!(old.chars().count(), new.chars().count());
                let shape = |text: &str| text.chars().map(kind).collect::<Vec<_>>();
                prop_assert_eq!(shape(old), shape(new));
            }
        }
    }
}
