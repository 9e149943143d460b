//! Runs played by hand: facts in, facts out, no engine around them.
