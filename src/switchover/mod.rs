//! What a team needs once, on the day it moves from Django to Wardroom.

pub mod parity;
