package shard_test

import (
	"fmt"

	"checkout/common/shard"
)

func Example() {
	id := shard.Mint(2) // such as 0198f2a4-6f1d-7c3e-9b52-8d1f0a6e0002
	s, ok := shard.Of(id)
	fmt.Println(s, ok)
	_, ok = shard.Of("7") // a decimal ID does not contain its shard
	fmt.Println(ok)
	// Output:
	// 2 true
	// false
}

func ExampleOfKey() {
	fmt.Println(shard.OfKey("order-1", 3), shard.OfKey("order-1", 4))
	// Output: 1 1
}

func ExampleOwned() {
	fmt.Println(shard.Owned(1, 2, 3), shard.Owned(2, 2, 3))
	// Output: [0 2] [1]
}
