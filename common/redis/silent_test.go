package redis

import (
	"errors"
	"testing"
	"time"
)

// Silent counts from the start of the problem, even if the shard still replies to some commands. If it counted from
// the last reply, new checkouts would wait as if they had been in flight when the shard failed.
func TestSilentCountsFromTheStartOfTheProblem(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	for name, tt := range map[string]struct {
		level              level
		reason             Reason
		replicated, engine bool
		began              bool // whether the problem began an hour ago; otherwise, its start is unknown
		least, most        time.Duration
		hung               bool
	}{
		"some commands get no reply":    {unavailable, Unreachable, false, false, true, hour, 2 * hour, true},
		"loads its data":                {unavailable, Loading, false, false, true, hour, 2 * hour, true},
		"the start is unknown":          {unavailable, Unreachable, false, false, false, 0, hour / 2, false},
		"no replica confirms":           {unavailable, FewCopies, true, false, true, hour, 2 * hour, true},
		"an engine without a primary":   {unavailable, Replica, false, true, true, hour, 2 * hour, true},
		"refuses writes":                {readOnly, DiskError, false, false, true, 0, 0, false},
		"accepts no further connection": {unavailable, ManyClients, false, false, true, 0, 0, false},
	} {
		s := &Shard{batches: &pipeline{}, control: &pipeline{}, engine: tt.engine}
		s.trailer.replicated = tt.replicated
		now := &state{level: tt.level, reason: tt.reason, err: errors.New("a problem")}
		if tt.began {
			now.since = time.Now().Add(-hour)
		}
		s.state.Store(now)
		s.control.markReplied() // a reply to a health check
		if got := s.Silent(); got < tt.least || got > tt.most {
			t.Errorf("%s: silent for %v, want %v to %v", name, got, tt.least, tt.most)
		}
		if tt.hung != s.Hung() && tt.began {
			t.Errorf("%s: hung is %v, want %v", name, s.Hung(), tt.hung)
		}
	}
}
