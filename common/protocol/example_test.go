package protocol_test

import (
	"fmt"

	"checkout/common/protocol"
	"checkout/common/redis"
)

// A script uses the protocol's constants and functions by name. NewScript inserts only those that the script uses.
func ExamplePrelude() {
	const source = "#!lua\nreturn { LIMIT, ms(DEADLINE_MS) }\n"
	script := redis.NewScript("expiry", source, protocol.Prelude(protocol.Number("LIMIT", 3))...)
	fmt.Print(script.Source())
	// Output:
	// #!lua
	// local DEADLINE_MS = 30000; local function ms(time) return string.format('%.0f', time) end; local LIMIT = 3
	// return { LIMIT, ms(DEADLINE_MS) }
}
