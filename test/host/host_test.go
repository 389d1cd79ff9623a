package host

import (
	"regexp"
	"testing"
)

func TestDescriptionsMatchTheirFormat(t *testing.T) {
	for got, want := range map[string]string{
		Processors("the clients"): `^.{3,}, [1-9][0-9]* processors for everything, the clients included$`,
		Kernel():                  `^Linux [0-9]+\.[0-9]+`,
		Commit(t.Context()):       `^(commit .*[0-9a-f]{7}(-dirty)?|unknown commit)$`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("got %q, want a text that matches %s", got, want)
		}
	}
}
