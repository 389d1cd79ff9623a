package main

// itemPrefix starts the name of an item's hash, without the shard's hash tag.
const itemPrefix = "i:"

func itemKey(id string) string { return itemPrefix + id }

// Fields of an item's hash.
const (
	stockField = "n" // pieces that nobody has reserved; the name that common/participant takes from
	priceField = "p" // minor units
)
