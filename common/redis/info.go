package redis

import "strings"

// ParseInfo returns the fields of a reply to INFO.
func ParseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// CopyWatch detects whether the append-only file of a replica contains the last full copy of the data from the primary.
// INFO does not report this. But Redis rewrites the file right after a copy, before any other command, and repeats the
// rewrite until it succeeds. So the copy is in the file when this rewrite ends. The zero value is ready to use.
type CopyWatch struct {
	runID     string
	connected bool
	rewrites  string // number of rewrites when the replica was last connected
	unwritten bool
}

// Unwritten reports whether the append-only file lacks the last full copy. Until the file has it, the replica
// acknowledges no write, and a restart loads older data. Call Unwritten after each INFO with the sections server and
// persistence. The argument connected is true if the Redis is a primary, or receives the writes of a primary.
//
// An ordinary rewrite that starts while the replica is not connected looks like the rewrite after a copy. So Unwritten
// may return true for a replica in sync until this rewrite ends.
func (w *CopyWatch) Unwritten(info map[string]string, connected bool) bool {
	if info["run_id"] != w.runID {
		*w = CopyWatch{runID: info["run_id"]}
	}
	scheduled := info["aof_rewrite_scheduled"] == "1"
	switch rewriting := scheduled || info["aof_rewrite_in_progress"] == "1"; {
	case !rewriting:
		w.unwritten = false
	case connected && !w.connected && (scheduled || info["aof_rewrites"] != w.rewrites):
		w.unwritten = true
	}
	if w.connected = connected; connected {
		w.rewrites = info["aof_rewrites"]
	}
	return w.unwritten
}
