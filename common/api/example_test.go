package api_test

import (
	"errors"
	"fmt"

	"checkout/common/api"
)

func ExampleMarshal() {
	attempts := []api.Attempt{{ID: "a1", Until: 1790000000000, Lines: []api.Line{{ID: "item-7", Quantity: 2}}}}
	data, err := api.Marshal(attempts)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(data))

	var decoded []api.Attempt
	if err := api.Unmarshal(data, &decoded); err != nil {
		panic(err)
	}
	fmt.Println(decoded[0].Lines[0].Quantity)
	// Output:
	// [{"id":"a1","until":1790000000000,"lines":[{"id":"item-7","n":2}]}]
	// 2
}

func ExampleError() {
	err := fmt.Errorf("item %s: %w", "7", api.ItemNotFound)
	fmt.Println(err)
	fmt.Println(errors.Is(err, api.ItemNotFound), api.ItemNotFound.Type())
	// Output:
	// item 7: the item does not exist
	// true /problems/item-not-found
}
