//! Where a path of keys and indices leads in a YAML text; for faults that are found after reading.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

/// A value of which only the shape and the places are kept.
enum Node {
    Leaf,
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_str<E>(self, _: &str) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Leaf)
            }

            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Node, D::Error> {
                Node::deserialize(d)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Node, D::Error> {
                IgnoredAny::deserialize(d).map(|_| Node::Leaf)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }
        }

        d.deserialize_any(Shape)
    }
}

/// Line and column (from 1) of what the path leads to, or of the deepest part of the path that exists.
pub(super) fn find(text: &str, path: &[String]) -> Option<(u64, u64)> {
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, super::options()).ok()?;
    let mut best = root.referenced;
    let mut node = &root.value;
    for part in path {
        let (place, next) = match node {
            Node::Leaf => break,
            Node::List(items) => {
                let Some(item) = part.parse::<usize>().ok().and_then(|i| items.get(i)) else { break };
                (item.referenced, &item.value)
            }
            Node::Map(entries) => {
                let Some((key, value)) = entries.iter().find(|(key, _)| key.value == *part) else { break };
                // Whatever is long is pointed at by its key; a plain value by itself.
                let place = if matches!(value.value, Node::Leaf) { value.referenced } else { key.referenced };
                (place, &value.value)
            }
        };
        if place != Location::UNKNOWN {
            best = place;
        }
        node = next;
    }
    Some((best.line(), best.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> (u64, u64) {
        let text = "a: 1\nb:\n  - {c: x, d: 2}\n  - c: y\n    e: [1, 2]\nf: \"z\"\ng:\n";
        find(text, &path.split('.').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn paths_lead_to_places() {
        assert_eq!(at("a"), (1, 4));
        assert_eq!(at("b"), (2, 1));
        assert_eq!(at("b.0.d"), (3, 15));
        assert_eq!(at("b.1.c"), (4, 8));
        assert_eq!(at("b.1.e.1"), (5, 12));
        assert_eq!(at("f"), (6, 4));
        assert_eq!(at("b.7.x"), (2, 1));
    }
}
