package version

import (
	"errors"
	"flag"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	for _, tt := range []struct {
		args, out, err string
	}{
		{"", "", "<nil>"},
		{"-n 3", "", "<nil>"},
		{"--version", `^tool devel (\([0-9a-f]{40}(\+changes)?\) )?go[0-9.]+.* [a-z]+/[a-z0-9]+\n$`, flag.ErrHelp.Error()},
		{"-help", "", flag.ErrHelp.Error()},
		{"-n 3 more", "", `unexpected argument "more"; run tool -help`},
		{"-unknown", "", "flag provided but not defined: -unknown"},
	} {
		flags := flag.NewFlagSet("tool", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		flags.Int("n", 0, "")
		var out strings.Builder
		err := ParseFlags(flags, strings.Fields(tt.args), &out)
		text := "<nil>"
		if err != nil {
			text = err.Error()
		}
		if text != tt.err || !regexp.MustCompile(tt.out).MatchString(out.String()) || (tt.out == "") != (out.Len() == 0) {
			t.Errorf("%q: got output %q, error %q; want %s and %q", tt.args, out.String(), text, tt.out, tt.err)
		}
		if wantHelp := tt.err == flag.ErrHelp.Error(); errors.Is(err, flag.ErrHelp) != wantHelp {
			t.Errorf("%q: got the error %v, want errors.Is(err, flag.ErrHelp) = %v", tt.args, err, wantHelp)
		}
	}
}
