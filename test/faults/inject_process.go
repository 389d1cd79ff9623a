package main

import (
	"context"
	"time"
)

// killing is SIGKILL: the part starts again, a Redis from its append-only file.
var killing = &injector{
	kind: "SIGKILL", targets: parts("order", "stock", "payment", "redis", "nginx"), shortest: 0, until: 2500 * time.Millisecond, weight: 6,
	inject: func(m *mixing, i injection) (func() error, error) {
		return func() error { return m.Start(context.Background(), i.target) }, m.Kill(i.target)
	},
}

// pausing is SIGSTOP: the part stands still in the midst of what it does, for longer than a lease at times, and goes on as if nothing
// had happened.
var pausing = &injector{
	kind: "SIGSTOP", targets: parts("order", "stock", "payment", "redis", "nginx"), shortest: 100 * time.Millisecond, until: 8 * time.Second, weight: 4,
	inject: func(m *mixing, i injection) (func() error, error) {
		return func() error { return m.Resume(i.target) }, m.Pause(i.target)
	},
}
