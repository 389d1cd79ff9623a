package api

import (
	"encoding/json"
	"reflect"
	"testing"
)

// messages are inputs for which Marshal and Unmarshal must behave like encoding/json.
var messages = map[string]any{
	"no attempts": []Attempt(nil),
	"attempts": []Attempt{
		{ID: "a", Until: 1790000000000, Lines: []Line{{"x", 1}, {"y", 1<<53 - 1}}},
		{ID: "without a deadline", Lines: []Line{{"z", 0}}},
		{ID: "negative", Until: -1, Lines: []Line{{"", -5}}},
	},
	"attempts of orders":     []Attempt{{ID: "a", Order: "o", Until: 1, Lines: []Line{{"u", 5}}}, {ID: "b", Order: "é"}},
	"attempts without lines": []Attempt{{ID: "a"}, {ID: "b", Lines: []Line{}}, {ID: "c", Wait: true}},
	"attempts that wait": []Attempt{
		{ID: "a", Wait: true, Lines: []Line{{"i", 1}}}, {ID: "b", Lines: []Line{{"i", 2}}},
	},
	"escapes": []Attempt{{ID: "quote \" slash \\ <&> é \x00 \xff \u2028", Lines: []Line{{"\t", 1}}}},
	"outcomes": []Outcome{
		{}, {Code: Reserved, Shards: []int{0}}, {Code: Refused, Reason: NotFound, ID: "x", Shards: []int{0, 3, 12}},
		{Code: Refused, Reason: Insufficient, ID: "x", Available: 5, Shards: []int{0}},
		{Reason: ShardDown, SilentMS: 1500, Shards: []int{1}},
		{Reason: ShardHangs, SilentMS: 700, Replicated: true, Hangs: true, Shards: []int{1}},
		{Code: Refused, Reason: NotFound, ID: "x", Hangs: true, Shards: []int{0, 1}},
		{Shards: []int{}},
	},
	"confirmations": []Confirmation{{"a:refund", 5, []int{1, 2}}, {"b", 6, nil}, {"c", 7, []int{}}},
	"done":          []Done{{true}, {false}},
	"empty list":    []Done{},
	"prices":        []Price{{PriceFound, 5}, {PriceNotFound, 0}, {}},
	"strings":       []string{"a", "", "</script>"},
	"another type":  Message{"hello"},
}

func TestCodecMatchesEncodingJSON(t *testing.T) {
	for name, message := range messages {
		got, err := Marshal(message)
		want, wantErr := json.Marshal(message)
		if string(got) != string(want) || err != nil || wantErr != nil {
			t.Errorf("marshal %s: got %s, error %v; want %s, error %v", name, got, err, want, wantErr)
		}
		back := reflect.New(reflect.TypeOf(message))
		wantBack := reflect.New(reflect.TypeOf(message))
		if err := Unmarshal(got, back.Interface()); err != nil {
			t.Errorf("unmarshal %s: %v", name, err)
		}
		if err := json.Unmarshal(got, wantBack.Interface()); err != nil {
			t.Errorf("unmarshal %s with encoding/json: %v", name, err)
		}
		if !reflect.DeepEqual(back.Elem().Interface(), wantBack.Elem().Interface()) {
			t.Errorf("unmarshal %s: got %#v, want %#v", name, back.Elem(), wantBack.Elem())
		}
	}
}

// The decoder stores the lines of all attempts in one array. Appending to the lines of one attempt must not overwrite
// the lines of the next attempt.
func TestDecodedListsDoNotShareCapacity(t *testing.T) {
	var attempts []Attempt
	data := []byte(`[{"id":"a","lines":[{"id":"x","n":1}]},{"id":"b","lines":[{"id":"y","n":2}]}]`)
	if err := Unmarshal(data, &attempts); err != nil {
		t.Fatal(err)
	}
	_ = append(attempts[0].Lines, Line{"z", 3})
	if attempts[1].Lines[0] != (Line{"y", 2}) {
		t.Errorf("lines of the second attempt after an append to the first: got %v, want [{y 2}]", attempts[1].Lines)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, message := range messages {
		data, err := Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range []string{
		`[{"id":"a","lines":[{"id":"x","n":01}]}]`, `[{"id":"a","lines":[{"id":"x","n":9223372036854775808}]}]`,
		` [ { "ok" : true } ]`, `[{"ok":true},]`, `[{"ok":true}`, `[{"ok":1}]`, `[{"code":-0,"price":1}]`,
		`[{"code":1,"price":}]`, `["a]`, `[]x`, `[`, ``,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		compareUnmarshal[[]Attempt](t, data)
		compareUnmarshal[[]Outcome](t, data)
		compareUnmarshal[[]Confirmation](t, data)
		compareUnmarshal[[]Done](t, data)
		compareUnmarshal[[]Price](t, data)
		compareUnmarshal[[]string](t, data)
	})
}

// compareUnmarshal checks that Unmarshal and encoding/json decode data into the same value of type T, or both fail.
func compareUnmarshal[T any](t *testing.T, data []byte) {
	t.Helper()
	var got, want T
	err, wantErr := Unmarshal(data, &got), json.Unmarshal(data, &want)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("unmarshal %q as %T: got error %v, want %v", data, got, err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("unmarshal %q: got %#v, want %#v", data, got, want)
	}
}

// oneBatch has the size of a typical batch under load.
var oneBatch = func() (attempts []Attempt) {
	for range 64 {
		attempts = append(attempts, Attempt{
			ID: "8f0e8f5c-51cc-4e8c-8c6a-2f0f6ad6a1f0", Until: 1790000000000,
			Lines: []Line{{"01a20ac5-5153-749e-8e14-d4476ca60000", 1}},
		})
	}
	return attempts
}()

func BenchmarkMarshal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Marshal(oneBatch)
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	data, _ := Marshal(oneBatch)
	b.ReportAllocs()
	for b.Loop() {
		var attempts []Attempt
		if Unmarshal(data, &attempts) != nil {
			b.Fatal("cannot unmarshal")
		}
	}
}

func BenchmarkEncodingJSON(b *testing.B) {
	data, _ := Marshal(oneBatch)
	b.ReportAllocs()
	for b.Loop() {
		var attempts []Attempt
		if json.Unmarshal(data, &attempts) != nil {
			b.Fatal("cannot unmarshal")
		}
	}
}
