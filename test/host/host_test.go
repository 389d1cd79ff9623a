package host

import (
	"regexp"
	"testing"
)

// TestDescription: each line says what it is to say.
func TestDescription(t *testing.T) {
	for got, want := range map[string]string{
		Processors("the customers"): `^.{3,}, [1-9][0-9]* processors for everything, the customers included$`,
		Kernel():                    `^Linux [0-9]+\.[0-9]+`,
		Commit(t.Context()):         `^(commit .*[0-9a-f]{7}(-dirty)?|of no known commit)$`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q, want %s", got, want)
		}
	}
}
