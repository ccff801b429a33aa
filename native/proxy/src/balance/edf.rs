//! Earliest deadline first: turns by weight.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A schedule in which an item comes as often as its weight says, as evenly as can be (Envoy's `EdfScheduler`): the item
/// with the earliest deadline is next, and its new deadline is 1 / weight later. A turn costs O(log n).
#[derive(Debug)]
pub(super) struct Edf {
    order: u64,
    heap: BinaryHeap<Reverse<Entry>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The bits of a number that is not negative: they sort as the number does, and faster.
    deadline: u64,
    /// Of equal deadlines the older is first.
    order: u64,
    item: usize,
}

impl Edf {
    /// A schedule of items with these weights, all above 0, as it stands after `turns` turns: workers that start at
    /// different turns don't all begin with the same host. Costs O(n log n) whatever `turns` is.
    pub fn new(weights: &[f64], turns: u32) -> Self {
        let sum: f64 = weights.iter().sum();
        // Whole turns that each certainly had by then, and when it had the last; what rounding leaves over is taken below.
        let had = |weight: f64| (f64::from(turns) * weight / sum).floor();
        let last = |(item, &weight)| (had(weight) / weight, 1.0 / weight, item);
        let mut items: Vec<(f64, f64, usize)> = weights.iter().enumerate().map(last).collect();
        items.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.2.cmp(&other.2)));
        let entry = |(order, &(last, gap, item)): (u64, &(f64, f64, usize))| {
            Reverse(Entry { deadline: (last + gap).to_bits(), order, item })
        };
        let mut edf = Self { order: items.len() as u64, heap: (0..).zip(&items).map(entry).collect() };
        let taken = weights.iter().map(|&weight| had(weight) as u32).sum();
        for _ in taken..turns {
            edf.next(|item| weights.get(item).copied().unwrap_or(1.0));
        }
        edf
    }

    /// The next item, by its place in the weights; `weight` is asked for its weight from now on.
    pub fn next(&mut self, weight: impl FnOnce(usize) -> f64) -> Option<usize> {
        let mut top = self.heap.peek_mut()?;
        let item = top.0.item;
        // The entry moves down in place: nothing is allocated.
        top.0.deadline = (f64::from_bits(top.0.deadline) + 1.0 / weight(item)).to_bits();
        top.0.order = self.order;
        self.order += 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(weights: &[f64], start: u32, count: usize) -> Vec<usize> {
        let mut edf = Edf::new(weights, start);
        (0..count).map(|_| edf.next(|item| weights[item]).unwrap()).collect()
    }

    #[test]
    fn items_come_by_weight_and_evenly() {
        assert_eq!(turns(&[1.0, 2.0], 0, 6), [1, 0, 1, 1, 0, 1]);
        assert_eq!(turns(&[1.0, 1.0, 1.0], 0, 6), [0, 1, 2, 0, 1, 2]);
        let many = turns(&[5.0, 3.0, 2.0], 0, 10_000);
        for (item, share) in [(0, 5000), (1, 3000), (2, 2000)] {
            let count = many.iter().filter(|&&other| other == item).count();
            assert!(count.abs_diff(share) <= 1, "{item}: {count}");
        }
    }

    /// As in Envoy's round_robin_lb_test.cc, where of ten balancers that start at turns 0 to 9 six, three and one begin with
    /// the hosts of weights 6, 3 and 1; but for those that are due at the same time, which rounding may swap.
    #[test]
    fn a_later_start_is_where_that_many_turns_lead() {
        let weights = [6.0, 3.0, 1.0];
        let mut first = [0_u32; 3];
        for start in 0..10 {
            first[turns(&weights, start, 1)[0]] += 1;
        }
        assert!(first.iter().zip([6, 3, 1]).all(|(count, expected)| count.abs_diff(expected) <= 1), "{first:?}");
        for start in 0..500 {
            let upto: Vec<_> = turns(&weights, 0, start as usize + 20).split_off(start as usize);
            let from = turns(&weights, start, 20);
            for item in 0..3 {
                let count = |turns: &[usize]| turns.iter().filter(|&&other| other == item).count();
                assert!(count(&upto).abs_diff(count(&from)) <= 1, "from {start}: {upto:?}, {from:?}");
            }
        }
    }

    #[test]
    fn without_items_nothing_is_next() {
        assert_eq!(Edf::new(&[], 7).next(|_| 1.0), None);
    }
}
