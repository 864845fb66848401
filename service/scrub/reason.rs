//! Why something could not be read, as Surveyor or the other side put it: the words stay, because they are what a report is about.
//! What is somebody's own is not: quoted paths and texts, hosts, and every word that is a name elsewhere.

use super::lexicon::Mode;

/// Words of every sentence: a device may be called so, and still they stay.
const COMMON: &[&str] = &[
    "a", "after", "all", "an", "and", "are", "at", "be", "by", "cannot", "could", "for", "from", "has",
    "have", "in", "is", "it", "its", "no", "not", "of", "on", "or", "out", "than", "that", "the", "there",
    "this", "to", "was", "with",
];

/// Whether a word is of every sentence.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.contains(&word)
}

/// The pieces of a reason, each with what it is.
pub(super) fn pieces(reason: &str) -> Vec<(Mode, &str)> {
    let mut found = Vec::new();
    let mut rest = reason;
    while !rest.is_empty() {
        let next = rest.find(['`', '"']);
        let Some((start, end)) = next.and_then(|start| {
            let mark = rest.get(start..=start)?;
            let length = rest.get(start + 1..)?.find(mark)?;
            Some((start, start + length + 2))
        }) else {
            plain(rest, &mut found);
            break;
        };
        plain(rest.get(..start).unwrap_or_default(), &mut found);
        let quoted = rest.get(start..end).unwrap_or_default();
        // A key of the configuration, a command or a menu is ours; a path, a login or a text of the network is not.
        let is_ours = quoted.starts_with('`')
            && !quoted.contains('@')
            && (!quoted.contains('/') || quoted.contains(' ') && !quoted.contains(['"', '=']));
        if is_ours {
            plain(quoted, &mut found);
        } else {
            found.push((Mode::Name, quoted));
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    found
}

/// Text outside quotes: hosts in it are words with dots, logins or parts of addresses of the web.
fn plain<'t>(text: &'t str, into: &mut Vec<(Mode, &'t str)>) {
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let labels: Vec<&str> = bare.split('.').collect();
        let is_host = labels.len() >= 2
            && labels
                .iter()
                .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
            && labels
                .last()
                .is_some_and(|last| last.len() >= 2 && last.bytes().all(|b| b.is_ascii_alphabetic()));
        if let Some((scheme, _)) = word.split_once("://") {
            let (scheme, host) = word.split_at(scheme.len());
            into.push((Mode::Reason, scheme));
            into.push((Mode::Name, host));
        } else if is_host || bare.contains('@') {
            into.push((Mode::Name, word));
        } else {
            into.push((Mode::Reason, word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(reason: &str) -> Vec<&str> {
        pieces(reason)
            .into_iter()
            .filter(|(mode, _)| *mode == Mode::Name)
            .map(|(_, piece)| piece.trim())
            .collect()
    }

    #[test]
    fn what_is_somebodys_own_is_told_from_what_is_said() {
        for (reason, expected) in [
            ("no answer within 5 s (3 tries)", &[][..]),
            ("secret file `/etc/acme/router1` does not exist; hint: create it", &["`/etc/acme/router1`"]),
            ("cannot reach `bob@nas.acme.example:22` over SSH", &["`bob@nas.acme.example:22`"]),
            ("`bridge -j fdb show`: exit status 2: Oops", &[]),
            ("`password_file` is missing", &[]),
            ("/ip/arp: HTTP 500", &[]),
            ("it says \"no such user bob\" to us", &["\"no such user bob\""]),
            ("lookup nas.acme.example: timed out.", &["nas.acme.example:"]),
            ("https://pve.acme.example:8006/api2 refused", &["://pve.acme.example:8006/api2"]),
            ("an odd ` quote", &[]),
        ] {
            assert_eq!(names(reason), expected, "{reason}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(reason in "[`\"a-z./@: \\PC]{0,60}") {
            let again: String = pieces(&reason).into_iter().map(|(_, piece)| piece).collect();
            prop_assert_eq!(again, reason);
        }
    }
}
