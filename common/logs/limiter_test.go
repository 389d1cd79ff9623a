package logs

import (
	"testing"
	"time"
)

func TestLimiterAllowsABurstAndThenOneLinePerSecond(t *testing.T) {
	at := time.Unix(1_000_000, 0)
	l := Limiter{now: func() time.Time { return at }}
	logged := func(lines int) (n, unlogged int) {
		for range lines {
			more, ok := l.Allow("a")
			if unlogged += more; ok {
				n++
			}
		}
		return n, unlogged
	}
	for _, tt := range []struct {
		pause       time.Duration
		n, unlogged int // n of 100 lines are logged; unlogged is the sum that Allow returns
	}{
		{0, 10, 0}, {0, 0, 0}, {time.Second, 1, 190}, {1500 * time.Millisecond, 1, 99}, {500 * time.Millisecond, 1, 99},
		{time.Hour, 10, 99},
	} {
		at = at.Add(tt.pause)
		if n, unlogged := logged(100); n != tt.n || unlogged != tt.unlogged {
			t.Errorf("%v later: %d of 100 lines logged, %d reported as unlogged, want %d and %d",
				tt.pause, n, unlogged, tt.n, tt.unlogged)
		}
	}
	if _, ok := l.Allow("b"); !ok {
		t.Error("another key: the line is rejected, want allowed")
	}
}
