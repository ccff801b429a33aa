//! Routes into a tree.
//!
//! A route's texts to be equal to are a path from a start, one field after another, in the order of their slots; routes
//! that compare the same set of fields share a start. At the end of a path are the routes that have it, in order, each with
//! the conditions that remain. Routes without such texts are starts themselves. Nodes are numbered as they are made, route
//! by route, so of two nodes the lesser leads to the earlier route first: that is all the search has to know.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};

use super::condition::Condition;

/// The number of no node.
pub const NONE: u32 = u32::MAX;

/// Which way to go next.
#[derive(Clone, Debug)]
pub enum Node {
    /// Where the value of a field leads.
    Branch {
        /// The position of the field.
        field: u32,
    },
    /// The same with one way only.
    Only {
        /// The position of the field.
        field: u32,
        /// The only value that leads somewhere.
        text: Box<str>,
        /// To there.
        then: u32,
    },
    /// A route, if its conditions hold.
    Route {
        /// Its number.
        route: u32,
        /// Its conditions.
        conditions: Range<u32>,
        /// The next route with the same texts.
        next: u32,
    },
}

#[derive(Clone, Debug)]
struct Edge {
    from: u32,
    then: u32,
    text: Box<str>,
}

/// All routes of a table.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    pub conditions: Vec<Condition>,
    /// Where to begin, in ascending order.
    pub starts: Vec<u32>,
    edges: HashTable<Edge>,
}

/// Texts of the configuration alone are stored, so nobody else can make many of them collide.
#[inline]
fn hash(from: u32, text: &str) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write_u32(from);
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Tree {
    /// Where a text leads from a branch.
    #[inline]
    pub fn then(&self, from: u32, text: &str) -> u32 {
        let edge = self.edges.find(hash(from, text), |edge| edge.from == from && *edge.text == *text);
        edge.map_or(NONE, |edge| edge.then)
    }
}

/// A tree in the making.
#[derive(Default)]
pub struct Builder {
    tree: Tree,
    /// Starts by their set of fields.
    groups: HashMap<Vec<u32>, u32, foldhash::fast::RandomState>,
    /// The last route of a list, by its first.
    lasts: HashMap<u32, u32, foldhash::fast::RandomState>,
    /// True once a route matches every message: what follows is never reached.
    closed: bool,
}

impl Builder {
    /// Adds the next route: its texts by field, at most one each, and its other conditions.
    pub fn add(&mut self, route: u32, mut texts: Vec<(u32, &str)>, conditions: Vec<Condition>) {
        if self.closed {
            return;
        }
        texts.sort_unstable_by_key(|(field, _)| *field);
        let at = self.tree.conditions.len() as u32;
        let node = Node::Route { route, conditions: at..at + conditions.len() as u32, next: NONE };
        let Some((last, before)) = texts.split_last() else {
            self.closed = conditions.is_empty();
            self.tree.conditions.extend(conditions);
            let node = self.push(node);
            self.tree.starts.push(node);
            return;
        };
        let fields: Vec<u32> = texts.iter().map(|(field, _)| *field).collect();
        let mut from = match self.groups.get(&fields) {
            Some(start) => *start,
            None => {
                let start = self.push(Node::Branch { field: texts[0].0 });
                self.tree.starts.push(start);
                self.groups.insert(fields, start);
                start
            }
        };
        for (depth, (_, text)) in before.iter().enumerate() {
            from = self.step(from, text, Node::Branch { field: texts[depth + 1].0 }).0;
        }
        let (first, new) = self.step(from, last.1, node.clone());
        let end = if new { first } else { self.chain(first, node) };
        if end != NONE {
            self.lasts.insert(first, end);
            self.tree.conditions.extend(conditions);
        }
    }

    fn push(&mut self, node: Node) -> u32 {
        self.tree.nodes.push(node);
        self.tree.nodes.len() as u32 - 1
    }

    /// Where a text leads from a branch: to a new node if it led nowhere.
    fn step(&mut self, from: u32, text: &str, node: Node) -> (u32, bool) {
        let new = self.tree.nodes.len() as u32;
        let same = |edge: &Edge| edge.from == from && *edge.text == *text;
        match self.tree.edges.entry(hash(from, text), same, |edge| hash(edge.from, &edge.text)) {
            Entry::Occupied(edge) => (edge.get().then, false),
            Entry::Vacant(place) => {
                place.insert(Edge { from, then: new, text: text.into() });
                self.tree.nodes.push(node);
                (new, true)
            }
        }
    }

    /// Puts a route behind those of the same texts; nowhere if one of them always matches.
    fn chain(&mut self, first: u32, node: Node) -> u32 {
        let last = self.lasts.get(&first).copied().unwrap_or(first);
        let new = self.tree.nodes.len() as u32;
        match self.tree.nodes.get_mut(last as usize) {
            Some(Node::Route { conditions, next, .. }) if conditions.start < conditions.end => *next = new,
            _ => return NONE,
        }
        self.push(node)
    }

    /// The tree. Branches with one way only need no hash.
    pub fn finish(self) -> Tree {
        let mut tree = self.tree;
        let mut ways = vec![0_u32; tree.nodes.len()];
        for edge in &tree.edges {
            ways[edge.from as usize] += 1;
        }
        let nodes = &mut tree.nodes;
        tree.edges.retain(|edge| {
            let at = edge.from as usize;
            if let Node::Branch { field } = nodes[at]
                && ways[at] == 1
            {
                nodes[at] = Node::Only { field, text: std::mem::take(&mut edge.text), then: edge.then };
                return false;
            }
            true
        });
        tree.edges.shrink_to_fit(|edge| hash(edge.from, &edge.text));
        tree
    }
}
