//! The program's entry point; everything it does is in the library.

fn main() {}
