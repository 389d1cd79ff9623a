package requestid

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestContextCarriesTheNewestID(t *testing.T) {
	t.Parallel()
	type other struct{}
	ctx := context.WithValue(NewContext(context.WithValue(t.Context(), other{}, "kept"), "a"), other{}, "new")
	if got := FromContext(context.WithoutCancel(ctx)); got != "a" {
		t.Errorf("ID of the context: got %q, want a", got)
	}
	if got := FromContext(NewContext(ctx, "b")); got != "b" {
		t.Errorf("ID of the derived context: got %q, want b", got)
	}
	if got := FromContext(t.Context()); got != "" {
		t.Errorf("a context without an ID has the ID %q, want \"\"", got)
	}
	if got := NewContext(context.WithValue(t.Context(), other{}, "kept"), "a").Value(other{}); got != "kept" {
		t.Errorf("the value of another key: got %v, want \"kept\"", got)
	}
}

func TestAcceptReplacesUnsafeIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "0f3c-9", strings.Repeat("x", 128), "a,b"} {
		if got := Accept(id, 128); got != id {
			t.Errorf("Accept(%q) returned %q, want the same ID", id, got)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\nlevel=ERROR", "é", strings.Repeat("x", 129)} {
		got := Accept(id, 128)
		if got == id || seen[got] || Accept(got, 128) != got {
			t.Errorf("Accept(%q) returned %q, want a new ID", id, got)
		}
		seen[got] = true
	}
}

func TestJoinCountsTheIDsLeftOut(t *testing.T) {
	t.Parallel()
	many := func(n, length int) []string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("%0*d", length, i)
		}
		return ids
	}
	for _, c := range []struct {
		ids  []string
		want string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"", ""}, ""},
		{[]string{"a"}, "a"},
		{[]string{"a", "b", "c"}, "a,b,c"},
		{[]string{"", "a", "", "b", ""}, "a,b"},
	} {
		if got := Join(c.ids); got != c.want {
			t.Errorf("Join(%q) = %q, want %q", c.ids, got, c.want)
		}
	}
	for _, c := range []struct{ n, length, kept int }{
		{100, 32, 100}, {124, 32, 123}, {256, 32, 123}, {256, 128, 31}, {256, 27, 145}, {256, 55, 72}, {256, 72, 55},
	} {
		got := Join(many(c.n, c.length))
		if len(got) > MaxJoinedLength || Accept(got, MaxJoinedLength) != got {
			t.Errorf("join %d IDs of %d bytes: got %d bytes, want at most %d", c.n, c.length, len(got), MaxJoinedLength)
		}
		ids := strings.Split(got, ",")
		if c.kept < c.n {
			if last := ids[len(ids)-1]; last != fmt.Sprintf("+%d-more", c.n-c.kept) {
				t.Errorf("join %d IDs of %d bytes: got %q at the end, want +%d-more", c.n, c.length, last, c.n-c.kept)
			}
			ids = ids[:len(ids)-1]
		}
		if len(ids) != c.kept {
			t.Errorf("%d IDs of %d bytes: kept %d, want %d", c.n, c.length, len(ids), c.kept)
		}
	}
	if got := Join(append(many(124, 32), "", "")); !strings.HasSuffix(got, ",+1-more") {
		t.Errorf("join 124 IDs of 32 bytes and two empty ones: got %q at the end, want +1-more", got[len(got)-9:])
	}
}

func TestLogHandlerAddsTheRequestID(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	removeTimeAndLevel := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(LogHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: removeTimeAndLevel})))
	log.Info("without")
	log.InfoContext(NewContext(t.Context(), "id-1"), "with")
	log.With("more", 1).InfoContext(NewContext(t.Context(), "id-2"), "with")
	if want := "msg=without\nmsg=with request_id=id-1\nmsg=with more=1 request_id=id-2\n"; out.String() != want {
		t.Errorf("log: got %s, want %s", out.String(), want)
	}
}

// The ID in logs, headers and responses is short and printable for every ID that a caller sends.
func FuzzAccept(f *testing.F) {
	for _, sent := range []string{"", "a-1", "a b", "a\r\nSet-Cookie: x", "é", "\x00", strings.Repeat("x", MaxLength+1)} {
		f.Add(sent)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		id := Accept(sent, MaxLength)
		if id == "" || len(id) > MaxLength || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("Accept(%q) returned %q, want a short printable ID", sent, id)
		}
	})
}
