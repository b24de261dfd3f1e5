mod node;
fn main() {}
