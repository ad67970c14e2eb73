//! Ids of both levels, as newtypes that print as the text form prints them.
//!
//! An id is meaningful only together with the graph that gave it out.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into a vector.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A node of a [`Network`](crate::network::Network).
    NodeId,
    "%"
);
id!(
    /// An actor of a [`Stream`](crate::stream::Stream).
    ActorId,
    "@"
);
id!(
    /// A channel of a [`Stream`](crate::stream::Stream).
    ChannelId,
    "#"
);

/// One result of a node: the node and its output port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value {
    /// The node that computes the value.
    pub node: NodeId,
    /// Which of the node's outputs, from 0.
    pub port: u16,
}

impl From<NodeId> for Value {
    fn from(node: NodeId) -> Self {
        Value { node, port: 0 }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            0 => self.node.fmt(f),
            port => write!(f, "{}.{port}", self.node),
        }
    }
}
