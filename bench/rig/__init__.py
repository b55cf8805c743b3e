"""What the bench's programs share: processes and what they cost, the people in the databases, the contestants."""
