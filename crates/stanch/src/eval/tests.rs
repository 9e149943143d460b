//! Whole runs on small made-up captures, and on the shared ones where they are at hand.
