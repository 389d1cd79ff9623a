package redis_test

import (
	"fmt"

	"checkout/common/redis"
)

// NewScript inserts, after the first line of a script, the definitions that the script uses.
func ExampleNewScript() {
	prelude := []redis.Definition{
		{Name: "DONE", Lua: "local DONE = 1"},
		{Name: "LIMIT", Lua: "local LIMIT = 3"},
	}
	script := redis.NewScript("touch", "#!lua\nredis.call('INCR', KEYS[1])\nreturn { DONE }\n", prelude...)
	fmt.Print(script.Source())
	// Output:
	// #!lua
	// local DONE = 1
	// redis.call('INCR', KEYS[1])
	// return { DONE }
}
