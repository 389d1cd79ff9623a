package requestid

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestContext(t *testing.T) {
	t.Parallel()
	type other struct{}
	ctx := context.WithValue(With(context.WithValue(t.Context(), other{}, "kept"), "a"), other{}, "new")
	if got := Of(context.WithoutCancel(ctx)); got != "a" {
		t.Errorf("got %q", got)
	}
	if got := Of(With(ctx, "b")); got != "b" || Of(t.Context()) != "" {
		t.Errorf("got %q, and %q of none", got, Of(t.Context()))
	}
	if got := With(context.WithValue(t.Context(), other{}, "kept"), "a").Value(other{}); got != "kept" {
		t.Errorf("another value became %v", got)
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "0f3c-9", strings.Repeat("x", 128), "a,b"} {
		if got := Accept(id, 128); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\nlevel=ERROR", "é", strings.Repeat("x", 129)} {
		got := Accept(id, 128)
		if got == id || seen[got] || Accept(got, 128) != got {
			t.Errorf("%q became %q", id, got)
		}
		seen[got] = true
	}
}

// Joined ids can be told apart and are accepted by who gets them; what is left out is counted.
func TestJoin(t *testing.T) {
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
		{nil, ""}, {[]string{""}, ""}, {[]string{"a"}, "a"}, {[]string{"a", "b", "c"}, "a,b,c"}, {[]string{"", "a", "", "b", ""}, "a,b"}, {[]string{"", ""}, ""},
	} {
		if got := Join(c.ids); got != c.want {
			t.Errorf("%q became %q, want %q", c.ids, got, c.want)
		}
	}
	for _, c := range []struct{ n, length, told int }{{100, 32, 100}, {124, 32, 123}, {256, 32, 123}, {256, 128, 31}} {
		got := Join(many(c.n, c.length))
		if len(got) > MaxTogether || Accept(got, MaxTogether) != got {
			t.Errorf("%d ids of %d became %d bytes", c.n, c.length, len(got))
		}
		ids := strings.Split(got, ",")
		if c.told < c.n {
			if last := ids[len(ids)-1]; last != fmt.Sprintf("+%d-more", c.n-c.told) {
				t.Errorf("%d ids of %d end with %q", c.n, c.length, last)
			}
			ids = ids[:len(ids)-1]
		}
		if len(ids) != c.told {
			t.Errorf("of %d ids of %d, %d are told, want %d", c.n, c.length, len(ids), c.told)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := slog.New(Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}})))
	log.Info("without")
	log.InfoContext(With(t.Context(), "id-1"), "with")
	log.With("more", 1).InfoContext(With(t.Context(), "id-2"), "with")
	if want := "msg=without\nmsg=with request_id=id-1\nmsg=with more=1 request_id=id-2\n"; out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

// Whatever a caller calls its request, what is written into logs, headers and answers is one short printable word.
func FuzzAccept(f *testing.F) {
	for _, given := range []string{"", "a-1", "a b", "a\r\nSet-Cookie: x", "é", "\x00", strings.Repeat("x", MaxLength+1)} {
		f.Add(given)
	}
	f.Fuzz(func(t *testing.T, given string) {
		id := Accept(given, MaxLength)
		if id == "" || len(id) > MaxLength || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is called %q", given, id)
		}
	})
}
