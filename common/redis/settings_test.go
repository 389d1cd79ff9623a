package redis

import (
	"context"
	"errors"
	"testing"
)

// If a shard that can serve other commands rejects CONFIG GET, the error has the reason "settings". If the shard can
// serve no command, the error has the reason of the error reply. A reply without settings has the reason "settings".
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
		t.Errorf("CONFIG GET timed out: got the error %v, want context deadline exceeded", err)
	}
}
