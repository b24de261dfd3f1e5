//! The `flash-node` program.

fn main() {}
