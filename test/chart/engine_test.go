package main

import (
	"strings"
	"testing"
)

// TestEngines checks the value redis.external.durable.
func TestEngines(t *testing.T) {
	for values, want := range map[string]string{ // wanted REDIS_DURABLE or, after "!", a part of the error
		"order: ['a:1'], durable: engine":                      "engine",
		"order: ['a:1'], durable: always":                      "",
		"order: ['a:1'], durable: synchronous":                 "!durable",
		"order: ['a:1+b:1+c:1'], durable: engine":              `!the nodes "a:1+b:1+c:1" contradict`,
		"order: ['a:1'], durable: engine, checkSettings: true": "!checkSettings has no effect",
	} {
		given := parse(t, "redis: {external: {stock: ['b:1'], payment: ['c:1'], "+values+"}}")
		message, refused := strings.CutPrefix(want, "!")
		rendered, err := render(root, given)
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), message)):
			t.Errorf("%s: got the error %v, want %q", values, err, message)
		case refused:
		case err != nil:
			t.Errorf("%s: got the error %v, want none", values, err)
		default:
			env := environment(parseSystem(t, rendered).instances()["order"])
			if got := env["REDIS_DURABLE"]; got != want {
				t.Errorf("%s: got REDIS_DURABLE=%q, want %q", values, got, want)
			}
		}
	}
}
