package redis

import (
	"maps"
	"testing"
)

func TestCopyWatch(t *testing.T) {
	t.Parallel()
	info := func(runID, rewrites, rewriting, scheduled string) map[string]string {
		return ParseInfo("# Persistence\r\nrun_id:" + runID + "\r\naof_rewrites:" + rewrites +
			"\r\naof_rewrite_in_progress:" + rewriting + "\r\naof_rewrite_scheduled:" + scheduled + "\r\n")
	}
	type step struct {
		info      map[string]string
		connected bool
		want      bool
	}
	for name, steps := range map[string][]step{
		"an ordinary rewrite": {
			{info("a", "0", "0", "0"), true, false}, {info("a", "0", "0", "1"), true, false},
			{info("a", "1", "1", "0"), true, false}, {info("a", "1", "0", "0"), true, false},
		},
		"a copy": {
			{info("a", "0", "0", "0"), false, false}, {info("a", "1", "1", "0"), true, true},
			{info("a", "1", "1", "0"), true, true}, {info("a", "1", "0", "0"), true, false},
		},
		"the first rewrite fails": {
			{info("a", "0", "0", "0"), false, false}, {info("a", "1", "1", "0"), true, true},
			{info("a", "1", "0", "1"), true, true}, {info("a", "2", "1", "0"), true, true},
			{info("a", "2", "0", "0"), true, false},
		},
		"another child delays the rewrite": {
			{info("a", "3", "0", "0"), true, false}, {info("a", "3", "0", "0"), false, false},
			{info("a", "3", "0", "1"), true, true}, {info("a", "4", "0", "0"), true, false},
		},
		"the connection breaks during an ordinary rewrite": {
			{info("a", "1", "1", "0"), true, true}, // the rewrite may be that of a copy
			{info("a", "1", "0", "0"), true, false}, {info("a", "2", "1", "0"), true, false},
			{info("a", "2", "1", "0"), false, false}, {info("a", "2", "1", "0"), true, false},
		},
		"a restart, and then a copy": {
			{info("a", "1", "0", "0"), true, false}, {info("b", "1", "1", "0"), true, true},
		},
		"the connection breaks while a copy is written": {
			{info("a", "1", "1", "0"), true, true}, {info("a", "1", "1", "0"), false, true},
			{info("a", "1", "1", "0"), true, true}, {info("a", "1", "0", "0"), false, false},
		},
	} {
		var w CopyWatch
		for i, s := range steps {
			if got := w.Unwritten(s.info, s.connected); got != s.want {
				t.Errorf("%s: step %d: Unwritten returned %v, want %v", name, i, got, s.want)
			}
		}
	}
}

func TestParseInfo(t *testing.T) {
	t.Parallel()
	got := ParseInfo("# Server\r\nrun_id:abc\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0\r\n")
	if want := map[string]string{"run_id": "abc", "db0": "keys=1,expires=0"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
