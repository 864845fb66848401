//! Whether a walk gets anywhere. Rows come in increasing order by RFC 3416, and some agents send them in the order of their
//! own tables. A row that was there before means a circle.

use std::collections::HashSet;

use super::walk::Row;

/// The rows of one column so far.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Vec<u32>,
    /// Every index, from the first step back on: agents in order cost no memory.
    seen: Option<HashSet<Vec<u32>>>,
    count: usize,
}

impl Order {
    /// Takes the next index; `rows` are those before it. Whether it is a new one.
    pub(super) fn advance(&mut self, index: &[u32], rows: &[Row]) -> bool {
        self.count += 1;
        if index.is_empty() {
            return false;
        }
        if self.seen.is_none() && index <= self.last.as_slice() {
            let mut seen: HashSet<Vec<u32>> = rows.iter().map(|row| row.index.clone()).collect();
            seen.insert(self.last.clone());
            self.seen = Some(seen);
        }
        self.last.clear();
        self.last.extend_from_slice(index);
        self.seen.as_mut().is_none_or(|seen| seen.insert(index.to_vec()))
    }

    /// How many rows there were, of whatever type.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the agent keeps the order.
    pub(super) fn is_kept(&self) -> bool {
        self.seen.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::snmp::walk::Value;

    /// How many rows are taken before the walk ends.
    fn taken(indexes: &[&[u32]]) -> (usize, bool) {
        let mut order = Order::default();
        let mut rows: Vec<Row> = Vec::new();
        for index in indexes {
            if !order.advance(index, &rows) {
                break;
            }
            rows.push(Row { index: index.to_vec(), value: Value::Number(1) });
        }
        (rows.len(), order.is_kept())
    }

    #[test]
    fn a_step_back_is_no_end_but_a_repetition_is() {
        assert_eq!(taken(&[&[1], &[1, 1], &[2]]), (3, true));
        assert_eq!(taken(&[&[7], &[3], &[5], &[1]]), (4, false));
        assert_eq!(taken(&[&[7], &[7]]), (1, false));
        assert_eq!(taken(&[&[1], &[2], &[3], &[1], &[2]]), (3, false), "the agent begins again");
        assert_eq!(taken(&[&[5], &[3], &[4], &[3]]), (3, false));
        assert_eq!(taken(&[&[]]), (0, true), "the column itself is no row");
    }

    proptest! {
        #[test]
        fn every_walk_over_finitely_many_rows_ends(indexes in prop::collection::vec(prop::collection::vec(0_u32..4, 1..3), 1..60)) {
            let shown: Vec<&[u32]> = indexes.iter().map(Vec::as_slice).collect();
            let (rows, _) = taken(&shown);
            let different: HashSet<&[u32]> = shown.iter().copied().collect();
            prop_assert!(rows <= different.len());
        }
    }
}
