package main

import (
	"testing"
	"time"

	"checkout/keeper/rule"
)

// The required offset is at least tickInterval old, so that a healthy replica has reached it.
func TestRequiredOffset(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	var f offsets
	for _, c := range []struct {
		after               time.Duration
		epoch, offset, want int64
	}{
		{0, 1, 100, 0},
		{tickInterval / 2, 1, 150, 0},
		{tickInterval, 1, 200, 100},
		{tickInterval * 3 / 2, 1, 300, 100},
		{2 * tickInterval, 1, 400, 200},
		{3 * tickInterval, 2, 500, 0}, // elected again
		{4 * tickInterval, 2, 600, 500},
	} {
		o := rule.Observation{Position: rule.Position{Epoch: c.epoch}, Offset: c.offset}
		if got := f.before(o, start.Add(c.after)); got != c.want {
			t.Errorf("required offset after %v: got %d, want %d", c.after, got, c.want)
		}
	}
}
