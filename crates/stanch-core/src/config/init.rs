//! The commented configuration folder that `stanch init DIR` writes.
