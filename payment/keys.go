package main

// userPrefix starts the name of a user's hash, without the shard's hash tag.
const userPrefix = "u:"

func userKey(id string) string { return userPrefix + id }

// creditField is the field of a user's hash that holds the credit, in minor units, that nobody has reserved; the name that
// common/participant takes from.
const creditField = "n"

// paymentField names the field of a user's hash that holds the direct payment for an order: the amount, as in "50", while it is
// paid, and its negative, "-50", once it was given back. It lives with the credit, so that both change at once, and ends with it.
func paymentField(order string) string { return "o:" + order }
