"""HTTP semantics in any version, pure: messages, validation, conditions, ranges, negotiation, the exchange contract."""
