package main

// What starts the names of an item's keys, without the shard's hash tag. The pieces that nobody has reserved are a counter that
// common/participant takes from; the price, in minor units, lies beside it, since it does not change with it.
const (
	piecesPrefix = "i:"
	pricePrefix  = "p:"
)

func piecesKey(id string) string { return piecesPrefix + id }
func priceKey(id string) string  { return pricePrefix + id }
