package redis

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestAppendCommands(t *testing.T) {
	t.Parallel()
	script := &Script{call: appendString(appendString(nil, "EVALSHA"), "abc")}
	for got, want := range map[string]string{
		string(appendCommand(nil, "AUTH", "é", 7, int64(-8), uint8(9))): "*5 $4 AUTH $2 é $1 7 $2 -8 $1 9 ",
		string(appendScript(nil, script, []string{"k", ""}, nil)):       "*5 $7 EVALSHA $3 abc $1 2 $1 k $0  ",
		string(appendScript(nil, script, nil, []any{"a", 10})):          "*5 $7 EVALSHA $3 abc $1 0 $1 a $2 10 ",
		string(appendRead(nil, "HMGET", "k", []string{"f", "g"})):       "*4 $5 HMGET $1 k $1 f $1 g ",
	} {
		if want = strings.ReplaceAll(want, " ", "\r\n"); got != want {
			t.Errorf("command: got %q, want %q", got, want)
		}
	}
}

func TestParseReplies(t *testing.T) {
	t.Parallel()
	for reply, want := range map[string]value{
		"+OK\r\n":          {kind: '+', text: "OK"},
		":-5\r\n":          {kind: ':', text: "-5"},
		"-NOSCRIPT no\r\n": {kind: '-', text: "NOSCRIPT no"},
		"$-1\r\n":          {},
		"*-1\r\n":          {},
		"$0\r\n\r\n":       {kind: '$'},
		"$4\r\na\r\nb\r\n": {kind: '$', text: "a\r\nb"},
		"*0\r\n":           {kind: '*', list: []value{}},
		"*3\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\n": {kind: '*',
			list: []value{{kind: ':', text: "1"}, {kind: '*', list: []value{{kind: '$', text: "x"}}}, {}}},
	} {
		for n := range len(reply) {
			if got, err := measure([]byte(reply[:n])); got != 0 || err != nil {
				t.Errorf("measure the incomplete reply %q: got %d bytes and the error %v, want 0 bytes", reply[:n], got, err)
			}
		}
		if n, err := measure([]byte(reply + "+more")); n != len(reply) || err != nil {
			t.Errorf("measure %q: got %d bytes and the error %v, want %d bytes", reply, n, err, len(reply))
		} else if got := parse(reply[:n]); !reflect.DeepEqual(got, want) {
			t.Errorf("parse %q: got %+v, want %+v", reply, got, want)
		}
	}
	for _, wrong := range []string{"x\r\n", "\r\n", "\n", "+OK\n", "$x\r\n", "$-2\r\n", "$\r\n",
		"$99999999999999999999\r\n", "$1\r\nabc\r\n", "*1\r\n?\r\n"} {
		if _, err := measure([]byte(wrong)); !errors.Is(err, errReply) {
			t.Errorf("measure %q: got %v, want %v", wrong, err, errReply)
		}
	}
}

// FuzzParse checks that the function parse can parse every reply that the function measure accepts, and that measure
// returns the correct length.
func FuzzParse(f *testing.F) {
	for _, reply := range []string{"+OK\r\n", "*2\r\n:1\r\n$1\r\nx\r\n", "*-1\r\n", "$3\r\na", "*1\r\n*1\r\n*0\r\n"} {
		f.Add([]byte(reply))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := measure(b)
		if n == 0 || err != nil {
			return
		}
		if _, rest := parseOne(string(b[:n])); rest != "" {
			t.Errorf("parse %q: %q is left, want nothing", b[:n], rest)
		}
	})
}

// FuzzCommand checks that no argument can end a command or begin another command.
func FuzzCommand(f *testing.F) {
	f.Add("{o0}o:1", "a\r\n*1\r\n$8\r\nFLUSHALL\r\n", int64(7))
	f.Add("", "\x00", int64(-1))
	script := &Script{call: appendString(appendString(nil, "EVALSHA"), "sha")}
	f.Fuzz(func(t *testing.T, key, arg string, n int64) {
		for _, c := range []struct {
			out  []byte
			want []string
		}{
			{appendScript(nil, script, []string{key, arg}, []any{arg, n, key}),
				[]string{"EVALSHA", "sha", "2", key, arg, arg, strconv.FormatInt(n, 10), key}},
			{appendRead(nil, "HMGET", key, []string{arg}), []string{"HMGET", key, arg}},
			{appendCommand(nil, "AUTH", key, arg), []string{"AUTH", key, arg}},
		} {
			length, err := measure(c.out)
			if err != nil || length != len(c.out) {
				t.Fatalf("measure %q: got %d bytes and the error %v, want one command of %d bytes",
					c.out, length, err, len(c.out))
			}
			var got []string
			for _, text := range parse(string(c.out)).list {
				got = append(got, text.text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("parse the command: got %q, want %q", got, c.want)
			}
		}
	})
}
