//! What the box says it is: os-release(5), DMI, its device tree, whether it forwards. Pure.

/// What DMI says where nobody filled it in.
const PLACEHOLDERS: [&str; 8] = [
    "to be filled by o.e.m.",
    "default string",
    "not specified",
    "not applicable",
    "system manufacturer",
    "system product name",
    "system serial number",
    "none",
];

/// What is known of the box.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct About {
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub(in super::super) system: Option<String>,
    /// Manufacturer.
    pub(in super::super) manufacturer: Option<String>,
    /// Model.
    pub(in super::super) model: Option<String>,
    /// Serial number; only root may read it.
    pub(in super::super) serial: Option<String>,
    /// Whether it forwards packets between interfaces.
    pub(in super::super) forwards: bool,
}

/// The lines `FILE:LINE` of grep(1), and the model of a device tree.
pub(in super::super) fn about(listed: &[u8], board: &[u8]) -> About {
    let listed = String::from_utf8_lossy(listed);
    let lines = || listed.lines().filter_map(|line| line.split_once(':'));
    let first = |end: &str| {
        let (_, value) = lines().find(|(file, _)| file.ends_with(end))?;
        let value = value.trim();
        let is_set = !value.is_empty() && !PLACEHOLDERS.contains(&value.to_ascii_lowercase().as_str());
        is_set.then(|| value.to_owned())
    };
    let pretty = lines()
        .filter(|(file, _)| file.ends_with("/os-release"))
        .find_map(|(_, line)| line.trim().strip_prefix("PRETTY_NAME="))
        .map(|value| value.trim_matches(['"', '\'']).to_owned());
    About {
        system: pretty.filter(|text| !text.is_empty()),
        manufacturer: first("/sys_vendor"),
        model: first("/product_name").or_else(|| first_line(board)),
        serial: first("/product_serial"),
        forwards: ["/ip_forward", "/forwarding"]
            .into_iter()
            .any(|file| first(file).is_some_and(|value| value != "0")),
    }
}

/// The first line that is not empty, without what does not print.
pub(in super::super) fn first_line(printed: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(printed);
    let clean = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
    text.lines().map(clean).find(|line| !line.is_empty())
}
