package idempotency

import (
	"strings"
	"testing"
)

func TestNewParsesKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxLength)
	for header, want := range map[string]string{
		"8e03978e-40d5-43dd-bc93-6894a57f9324": "8e03978e-40d5-43dd-bc93-6894a57f9324", `"8e03978e"`: "8e03978e",
		"a": "a", "~!{}:/": "~!{}:/", `"with spaces"`: "with spaces", `"\"\\"`: `"\`, `a\b`: `a\b`,
		long: long, `"` + long + `"`: long, "true": "true",
	} {
		if key, err := New(header); err != nil || key.Name != want {
			t.Errorf("header %q: got the key %+v and the error %v, want the key %q", header, key, err, want)
		}
	}
	for _, header := range []string{
		"", `""`, `"`, `"a`, `a"`, `"a"b`, `"a";p=1`, `"a", "b"`, `"\a"`, `"\`, `"a\"`, "a b", " a", "a\tb", "\"a\tb\"",
		"a\x00", "é", `"é"`, "a\x7f", long + "x", `"` + long + `x"`,
	} {
		if key, err := New(header); err != ErrMalformed || key != nil {
			t.Errorf("header %q: got the key %+v and the error %v, want the error %v", header, key, err, ErrMalformed)
		}
	}
}

func TestFingerprintsDifferIfAnyPartDiffers(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, request := range [][]string{
		{}, {""}, {"", ""}, {"POST"}, {"POST", "/add"}, {"POST", "/add", "1", "5"}, {"POST", "/add", "15"},
		{"POST", "/add", "1", "50"}, {"POST", "/add", "5", "1"}, {"DELETE", "/add", "1", "5"},
		{"POST", "/subtract", "1", "5"}, {"POST/add"},
	} {
		a, err := New("key", request...)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := New(`"other key"`, request...)
		if a.Fingerprint != b.Fingerprint || len(a.Fingerprint) != 32 {
			t.Errorf("request %q: got the fingerprints %s and %s, want equal fingerprints of 32 digits",
				request, a.Fingerprint, b.Fingerprint)
		}
		if other, ok := seen[a.Fingerprint]; ok {
			t.Errorf("%q and %q have the same fingerprint, want different ones", request, other)
		}
		seen[a.Fingerprint] = request
	}
}

// FuzzNew checks that every accepted key is short and printable, and that New accepts the same key in quotes.
func FuzzNew(f *testing.F) {
	for _, seed := range []string{"a", `"a"`, `"\""`, `"a\\"`, `"`, "a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		key, err := New(header)
		if err != nil {
			return
		}
		unprintable := func(r rune) bool { return r < ' ' || r > '~' }
		if key.Name == "" || len(key.Name) > MaxLength || strings.ContainsFunc(key.Name, unprintable) {
			t.Errorf("header %q: got the key %q, want 1 to 255 printable characters", header, key.Name)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key.Name) + `"`
		if again, err := New(quoted); err != nil || again.Name != key.Name {
			t.Errorf("the key %q in quotes: got %+v, %v; want the same key", key.Name, again, err)
		}
	})
}
