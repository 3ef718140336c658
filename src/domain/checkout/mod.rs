//! What changes several nouns at once: placing, cancelling, sending and ending orders.
