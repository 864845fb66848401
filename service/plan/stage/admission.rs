//! Admission: which candidates belong in the inventory. Not every laptop on a campus does.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Candidate, Class};

/// Include and exclude rules; a candidate is staged if some include rule fits (or there is none) and no exclude rule does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admission {
    /// At least one has to fit, if there are any.
    pub include: Vec<Rule>,
    /// None may fit.
    pub exclude: Vec<Rule>,
}

/// All conditions given have to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// An address of the host is in this prefix.
    #[schemars(with = "Option<String>")]
    pub prefix: Option<IpNet>,
    /// It was learned in this VLAN.
    pub vlan: Option<u16>,
    /// It is of this class.
    pub class: Option<Class>,
    /// A MAC begins with these octets: `BC:24:11`.
    pub oui: Option<String>,
    /// It hangs on a port whose `switch port` fits this pattern; `*` stands for anything.
    pub port: Option<String>,
    /// Its name fits this pattern; `*` stands for anything.
    pub name: Option<String>,
}

impl Admission {
    /// Why the candidate is not admitted; none if it is. The network's own devices always are: hosts hang on them.
    pub fn refuses(&self, candidate: &Candidate) -> Option<String> {
        if candidate.device.is_some() {
            return None;
        }
        if !self.include.is_empty() && !self.include.iter().any(|rule| rule.fits(candidate)) {
            return Some("no rule of `stage.include` fits".to_owned());
        }
        let position = self.exclude.iter().position(|rule| rule.fits(candidate))?;
        Some(format!("rule {} of `stage.exclude` fits", position + 1))
    }
}

impl Rule {
    fn fits(&self, candidate: &Candidate) -> bool {
        let interfaces = &candidate.interfaces;
        self.prefix.is_none_or(|prefix| {
            interfaces
                .iter()
                .flat_map(|interface| &interface.addresses)
                .any(|address| prefix.contains(address))
        }) && self.vlan.is_none_or(|vlan| {
            interfaces.iter().any(|interface| {
                interface.attachment.as_ref().is_some_and(|attachment| attachment.vlan == Some(vlan))
            })
        }) && self.class.is_none_or(|class| candidate.class == class)
            && self.oui.as_ref().is_none_or(|oui| {
                let wanted: String =
                    oui.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
                interfaces
                    .iter()
                    .filter_map(|interface| interface.mac)
                    .any(|mac| mac.compact().starts_with(&wanted))
            })
            && self.port.as_ref().is_none_or(|pattern| {
                interfaces
                    .iter()
                    .filter_map(|interface| interface.attachment.as_ref())
                    .any(|attachment| matches(pattern, &format!("{} {}", attachment.switch, attachment.port)))
            })
            && self.name.as_ref().is_none_or(|pattern| matches(pattern, candidate.name.as_str()))
    }
}

/// Whether the text fits a pattern in which `*` stands for any characters; case does not count.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut tail: Vec<&str> = parts.collect();
    let Some(last) = tail.pop() else { return rest.is_empty() };
    for part in tail {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("printer", "Printer", true),
            ("printer", "printer2", false),
            ("*", "", true),
            ("sw1 *", "sw1 ether5", true),
            ("sw1 *", "sw10 ether5", false),
            ("*print*er", "a-print-x-er", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
