package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/api"
)

const (
	firstAttempt  = "5f6a7b8c-0000-4000-8000-000000000001"
	secondAttempt = "9d8e7f6a-0000-4000-8000-000000000002"
)

func TestParseHistory(t *testing.T) {
	const base = 1_764_410_000_000
	for _, test := range []struct {
		text      string
		want      []Event
		truncated bool
	}{
		{text: ""},
		{text: "BP3,6,9", want: []Event{
			{Kind: EventBegin, At: base, Attempt: secondAttempt, By: "bbbbbbbb"},
			{Kind: EventPaid, At: base + 9, Attempt: secondAttempt, By: "bbbbbbbb", Credit: base + 3, Stock: base + 6},
		}},
		{text: "BRc12@aaaaaaaa#5f6a7b8cB60345P3,,9", want: []Event{
			{Kind: EventBegin, At: base - 60345, Attempt: "5f6a7b8c", By: "aaaaaaaa"},
			{Kind: EventRefused, At: base - 60333, Attempt: "5f6a7b8c", By: "aaaaaaaa", Reason: 'c'},
			{Kind: EventBegin, At: base, Attempt: secondAttempt, By: "bbbbbbbb"},
			{Kind: EventPaid, At: base + 9, Attempt: secondAttempt, By: "bbbbbbbb", Credit: base + 3},
		}},
		{text: "BS5100@aaaaaaaaV9000As3,9001C9010", want: []Event{
			{Kind: EventBegin, At: base, Attempt: secondAttempt, By: "aaaaaaaa"},
			{Kind: EventResume, At: base + 5100, Attempt: secondAttempt, By: "aaaaaaaa"},
			{Kind: EventRecovery, At: base + 9000, Attempt: secondAttempt, By: "bbbbbbbb"},
			{Kind: EventAborting, At: base + 9001, Attempt: secondAttempt, By: "bbbbbbbb", Reason: 's', Credit: base + 5103},
			{Kind: EventClosed, At: base + 9010, Attempt: secondAttempt, By: "bbbbbbbb"},
		}},
		{text: "!P9@aaaaaaaaF70000X15", truncated: true, want: []Event{
			{Kind: EventPaid, At: base - 69991, Attempt: secondAttempt, By: "aaaaaaaa"},
			{Kind: EventRefunding, At: base, Attempt: secondAttempt, By: "bbbbbbbb"},
			{Kind: EventCancelled, At: base + 15, Attempt: secondAttempt, By: "bbbbbbbb"},
		}},
		// Unreadable parts are skipped. In P3000,6000,5, the reservations are later than the event, so they get the time
		// of the event.
		{text: "xyzBQ7P-1,2,3Z?P1,2,3,4Px?C99999999999999999999P3000,6000,5", want: []Event{
			{Kind: EventBegin, At: base, Attempt: secondAttempt, By: "bbbbbbbb"},
			{Kind: EventPaid, At: base + 4, Attempt: secondAttempt, By: "bbbbbbbb", Credit: base + 1, Stock: base + 2},
			{Kind: EventPaid, At: base + 5, Attempt: secondAttempt, By: "bbbbbbbb", Credit: base + 5, Stock: base + 5},
		}},
	} {
		got, truncated := parseHistory(test.text, secondAttempt, "bbbbbbbb", base)
		if !reflect.DeepEqual(got, test.want) || truncated != test.truncated {
			t.Errorf("%q: got %+v, truncated %v; want %+v, truncated %v",
				test.text, got, truncated, test.want, test.truncated)
		}
	}
}

// FuzzParseHistory checks that parseHistory returns a bounded number of known events for any text.
func FuzzParseHistory(f *testing.F) {
	for _, seed := range []string{"", "BP3,6,9", "!@aaaaaaaa#5f6a7b8cB60345V1As3,9F-5X1", "P,,\xff@#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		events, _ := parseHistory(text, "A", "me", time.Now().UnixMilli())
		if len(events) > len(text) {
			t.Errorf("got %d events from %d bytes, want at most one for each byte", len(events), len(text))
		}
		for _, e := range events {
			if strings.IndexByte("BSPRACFXV", byte(e.Kind)) < 0 {
				t.Errorf("got the event %+v, want a known kind", e)
			}
		}
	})
}

// TestScriptsRecordHistory runs sagas and checks the events that they record: the letter of each event, its attempt and
// its incarnation.
func TestScriptsRecordHistory(t *testing.T) {
	first, client := openStore(t)
	first.by = "aaaaaaaa"
	second := &Store{cluster: first.cluster, by: "bbbbbbbb"}
	steps := Steps{Credit: 3 * time.Millisecond, Stock: 6 * time.Millisecond}
	for _, test := range []struct {
		name string
		run  func(ctx context.Context)
		want string
	}{
		{"paid", func(ctx context.Context) {
			first.Begin(ctx, id, firstAttempt, "")
			first.Begin(ctx, id, firstAttempt, firstAttempt) // a renewal of the lease
			first.Commit(ctx, id, firstAttempt, []int{0}, []int{0}, steps)
			second.Begin(ctx, id, secondAttempt, firstAttempt)
		}, "B/5f6a7b8c/a P/5f6a7b8c/a"},
		{"refused, then paid by another instance", func(ctx context.Context) {
			first.Begin(ctx, id, firstAttempt, "")
			first.Refuse(ctx, id, firstAttempt, "credit 10 5 U")
			second.Begin(ctx, id, secondAttempt, firstAttempt)
			second.Commit(ctx, id, secondAttempt, []int{0}, []int{0}, steps)
		}, "B/5f6a7b8c/a Rc/5f6a7b8c/a B/9d8e7f6a/b P/9d8e7f6a/b"},
		{"resumed, aborted, cancelled", func(ctx context.Context) {
			first.Begin(ctx, id, firstAttempt, "")
			second.Begin(ctx, id, firstAttempt, "")
			second.Begin(ctx, id, firstAttempt, "") // a retry
			first.Begin(ctx, id, firstAttempt, "")  // adds no event, but the event S then belongs to this instance
			second.Abort(ctx, id, firstAttempt, "stock 3 2 X", steps)
			second.Close(ctx, id, firstAttempt)
			second.Begin(ctx, id, secondAttempt, firstAttempt)
			second.Commit(ctx, id, secondAttempt, []int{0}, []int{0}, steps)
			first.Cancel(ctx, id, secondAttempt)
			first.Cancelled(ctx, id, secondAttempt, []int{0}, []int{0})
		}, "B/5f6a7b8c/a S/5f6a7b8c/a As/5f6a7b8c/b C/5f6a7b8c/b B/9d8e7f6a/b P/9d8e7f6a/b F/9d8e7f6a/a X/9d8e7f6a/a"},
		{"claimed by both instances in turn", func(ctx context.Context) {
			first.Begin(ctx, id, firstAttempt, "")
			for range 20 {
				for _, s := range []*Store{second, first} {
					client.HSet(ctx, "{o0}"+orderKey(id), "lease", past)
					client.ZAdd(ctx, "{o0}"+undecidedKey, redis.Z{Score: past, Member: id})
					s.Claim(ctx, s.Shards()[0], id, time.Minute)
				}
			}
			first.Abort(ctx, id, firstAttempt, "given-up", Steps{})
		}, "B/5f6a7b8c/a V/5f6a7b8c/a Ag/5f6a7b8c/a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			restore(t, client, openOrder, time.Now())
			test.run(t.Context())
			h, err := first.History(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, e := range h.Events {
				kind := strings.TrimRight(string(e.Kind)+string(e.Reason), "\x00")
				got = append(got, fmt.Sprintf("%s/%.8s/%.1s", kind, e.Attempt, e.By))
				if e.At < h.Now-10_000 || e.At > h.Now || i > 0 && e.At < h.Events[i-1].At {
					t.Errorf("event %d: got the time %d, want ascending times in the 10 s before %d", i, e.At, h.Now)
				}
			}
			if strings.Join(got, " ") != test.want || h.Truncated {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), test.want)
			}
		})
	}
}

// A long history loses its oldest events.
func TestHistoryIsBounded(t *testing.T) {
	s, client := openStore(t)
	restore(t, client, openOrder, time.Now())
	last := ""
	for i := range 40 {
		attempt := fmt.Sprintf("%08x-0000-4000-8000-000000000001", i)
		if r, err := s.Begin(t.Context(), id, attempt, last); err != nil || r.Code != CodeStarted {
			t.Fatalf("begin: got %+v, %v; want STARTED", r, err)
		}
		s.Refuse(t.Context(), id, attempt, "credit 10 5 U")
		last = attempt
	}
	h, err := s.History(t.Context(), id)
	if err != nil || !h.Truncated || len(h.Events) < 10 || h.Events[0].Attempt == "" {
		t.Fatalf("history: got %+v, %v; want at least 10 events, truncated", h, err)
	}
	if n := client.HStrLen(t.Context(), "{o0}"+orderKey(id), historyField).Val(); n > historyBytes {
		t.Errorf("the history has %d bytes, want at most %d", n, historyBytes)
	}
	if e := h.Events[len(h.Events)-1]; e.Attempt != last || e.Kind != EventRefused {
		t.Errorf("last event: got %+v, want the refusal of attempt %s", e, last)
	}
	for i := len(h.Events) - 1; i >= 0; i-- {
		if want := fmt.Sprintf("%08x", 39-(len(h.Events)-1-i)/2); h.Events[i].Attempt[:8] != want {
			t.Errorf("event %d: got attempt %s, want one that starts with %s", i, h.Events[i].Attempt, want)
		}
	}
}

// The steps of a saga succeed with any history, even an unreadable one.
func TestSagaIgnoresTheHistory(t *testing.T) {
	s, client := openStore(t)
	for _, history := range []string{"?", "@#!", strings.Repeat("x", 5000), "S", "V-1", "\xff"} {
		restore(t, client, openOrder, time.Now())
		set := func() { client.HSet(t.Context(), "{o0}"+orderKey(id), historyField, history) }
		for _, step := range []struct {
			call call
			want Code
		}{
			{beginOf("A", ""), CodeStarted}, {abortOf("A"), CodeAborting}, {closeOf("A"), CodeClosed},
			{beginOf("B", "A"), CodeStarted}, {refuseOf("B"), CodeClosed},
			{beginOf("C", "B"), CodeStarted}, {commitOf("C"), CodePaid}, {cancelOf("C"), CodeRefunding},
			{cancelledOf("C", nil, nil), CodeCancelled},
		} {
			set()
			if got, err := step.call(t.Context(), s); err != nil || got.Code != step.want {
				t.Errorf("history %.10q: got %+v, %v; want %s", history, got, err, step.want)
			}
		}
	}
	if _, err := s.History(t.Context(), "01a20ac5-5153-749e-8e14-d4476ca70000"); !errors.Is(err, api.OrderNotFound) {
		t.Errorf("history of a missing order: got %v, want order-not-found", err)
	}
}
