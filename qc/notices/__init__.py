"""Who must be told what: notices of an order, of a day, and the digests of a period."""
