package redis

import (
	"context"
	"errors"
	"testing"
)

// If CONFIG GET fails, the error has the reason "settings" only if the shard can serve other commands. A reply without
// settings also has this reason.
func TestReasonOfSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Reason{
		"NOPERM this user has no permissions": Settings,
		"ERR unknown command 'CONFIG'":        Settings,
		"LOADING Redis is loading":            Loading,
		"BUSY Redis is busy running a script": Busy,
		"NOAUTH Authentication required.":     Denied,
	} {
		if got := reasonOf(checkSettings(Reply{}, errorReply(text))); got != want {
			t.Errorf("reply %q: got the reason %s, want %s", text, got, want)
		}
	}
	if got := reasonOf(checkSettings(Reply{}, nil)); got != Settings {
		t.Errorf("reply without settings: got the reason %s, want settings", got)
	}
	if err := checkSettings(Reply{}, context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: got %v, want the timeout itself", err)
	}
}
