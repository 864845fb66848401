//! The rows of a menu, packed: one text, not a map of texts for each row. Pure.
//!
//! A forwarding table has tens of thousands of rows whose columns have the same names, so a name is kept once and a value
//! costs its bytes and eight more.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Most columns that are kept: more than any menu has, and only some of them are asked for.
const MAX_COLUMNS: usize = 256;

/// Rows in the order in which the device printed them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Rows {
    /// Names of columns, in the order in which they were first met.
    columns: Vec<Box<str>>,
    /// All values, one behind the other.
    text: String,
    cells: Vec<Cell>,
    /// Where the cells of each row end.
    ends: Vec<u32>,
}

/// A value: which column it is of, and where it ends in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    column: u32,
    end: u32,
}

/// One row of a menu. A column that is absent is unset.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Row<'a> {
    rows: &'a Rows,
    index: usize,
}

impl Rows {
    /// Adds a row of columns and values; of a column that is there twice the last value counts.
    pub(in super::super) fn push<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = (N, V)>,
    ) {
        // The next row mostly has the columns of the last one, in the same order.
        let mut expected = 0;
        for (name, value) in cells {
            let Some(column) = self.column(name.as_ref(), expected) else { continue };
            expected = column + 1;
            self.text.push_str(value.as_ref());
            self.cells.push(Cell { column: number(column), end: number(self.text.len()) });
        }
        self.ends.push(number(self.cells.len()));
    }

    /// The place of this column, added if new and there is room.
    fn column(&mut self, name: &str, expected: usize) -> Option<usize> {
        if self.columns.get(expected).is_some_and(|known| **known == *name) {
            return Some(expected);
        }
        let known = self.columns.iter().position(|known| **known == *name);
        if known.is_some() || self.columns.len() == MAX_COLUMNS {
            return known;
        }
        self.columns.push(name.into());
        Some(self.columns.len() - 1)
    }

    /// Number of rows.
    pub(in super::super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All rows.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = Row<'_>> + Clone {
        (0..self.len()).map(|index| Row { rows: self, index })
    }

    /// The first row: the only one of menus that have one.
    pub(in super::super) fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }
}

/// Answers are bounded far below this.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl<'a> Row<'a> {
    /// The value of a column, which may be empty.
    pub(in super::super) fn get(&self, column: &str) -> Option<&'a str> {
        let rows = self.rows;
        let column = number(rows.columns.iter().position(|known| **known == *column)?);
        let place = self.cells().rev().find(|place| rows.cells[*place].column == column)?;
        let begin = place.checked_sub(1).map_or(0, |before| rows.cells[before].end);
        rows.text.get(begin as usize..rows.cells[place].end as usize)
    }

    /// Where its cells are.
    fn cells(&self) -> std::ops::Range<usize> {
        let ends = &self.rows.ends;
        let begin = self.index.checked_sub(1).map_or(0, |before| ends[before]);
        begin as usize..ends[self.index] as usize
    }
}

/// The rows in a REST answer: a list, or one object for a menu that has only one row. Values are strings, but numbers
/// and booleans are taken too. Bytes that are no UTF-8 (comments in CP1252) are replaced, and so are raw control
/// characters inside strings, which JSON forbids and devices send.
pub(in super::super) fn rest_rows(mut body: Vec<u8>) -> Result<Rows, String> {
    for byte in body.iter_mut().filter(|byte| **byte < b' ') {
        *byte = b' ';
    }
    let text = String::from_utf8_lossy(&body);
    let mut rows = Rows::default();
    let mut json = serde_json::Deserializer::from_str(&text);
    json.deserialize_any(Answer(&mut rows)).and_then(|()| json.end()).map_err(|error| error.to_string())?;
    Ok(rows)
}

/// Reads a whole answer into rows.
struct Answer<'r>(&'r mut Rows);

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(OneRow(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, row: A) -> Result<(), A::Error> {
        OneRow(self.0).visit_map(row)
    }
}

/// Reads one row.
struct OneRow<'r>(&'r mut Rows);

impl<'de> DeserializeSeed<'de> for OneRow<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        let mut cells: Vec<(Cow<'de, str>, String)> = Vec::new();
        while let Some((name, value)) = row.next_entry::<Cow<'de, str>, serde_json::Value>()? {
            match value {
                serde_json::Value::Null => {}
                serde_json::Value::String(text) => cells.push((name, text)),
                other => cells.push((name, other.to_string())),
            }
        }
        self.0.push(cells);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_is_a_map(maps in prop::collection::vec(prop::collection::vec(("[a-e]", "\\PC{0,5}"), 0..6), 0..6)) {
            let mut rows = Rows::default();
            for map in &maps {
                rows.push(map.iter().map(|(name, value)| (name, value)));
            }
            prop_assert_eq!(rows.len(), maps.len());
            for (row, map) in rows.iter().zip(maps) {
                let map: BTreeMap<String, String> = map.into_iter().collect();
                for name in ["a", "b", "c", "d", "e", "f"] {
                    prop_assert_eq!(row.get(name), map.get(name).map(String::as_str));
                }
            }
        }
    }
}
