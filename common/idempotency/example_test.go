package idempotency_test

import (
	"fmt"

	"checkout/common/idempotency"
)

// The key of a request is its Idempotency-Key header and a fingerprint of the request.
func ExampleNew() {
	first, _ := idempotency.New(`"order-7"`, "POST", "/add/1/5")
	retry, _ := idempotency.New("order-7", "POST", "/add/1/5")
	other, _ := idempotency.New("order-7", "POST", "/add/1/6")
	_, err := idempotency.New("two words", "POST", "/add/1/5")
	fmt.Println(first.Name, first.Fingerprint == retry.Fingerprint, first.Fingerprint == other.Fingerprint)
	fmt.Println(err)
	// Output:
	// order-7 true false
	// not 1 to 255 printable characters, alone or in double quotes
}
