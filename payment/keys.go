package main

// What starts the names of a user's keys, without the shard's hash tag. The credit, in minor units, that nobody has reserved is a
// counter that common/participant takes from.
const (
	creditPrefix   = "u:"
	paymentsPrefix = "d:"
)

func creditKey(id string) string { return creditPrefix + id }

// paymentsKey names the hash of what a user has paid directly, by order: the amount, as in "50", while it is paid, and its negative,
// "-50", once it was given back. It lies on the credit's shard, so that both change at once.
func paymentsKey(id string) string { return paymentsPrefix + id }
