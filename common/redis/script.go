package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Script is a Lua script that runs atomically on one shard.
type Script struct {
	name, source, sha string
	call              []byte // "EVALSHA" and sha, both encoded
	spanName          string
	needs             level // lowest level of a shard that runs the script
}

// Definition is a Lua constant or function that scripts use by its name. Constants get their values from Go.
type Definition struct {
	Name string
	Lua  string // a statement that defines Name as a local variable
}

// MustScript returns the script in the file lua/<name>.lua. It panics if there is no such file.
func MustScript(files fs.FS, name string, prelude []Definition) *Script {
	source, err := fs.ReadFile(files, "lua/"+name+".lua")
	if err != nil {
		panic(fmt.Sprintf("redis: script %s: %v", name, err))
	}
	return NewScript(name, string(source), prelude...)
}

// NewScript returns a script. The source must start with a shebang line. NewScript inserts one line after the shebang
// line, with the definitions of prelude that the script uses.
func NewScript(name, source string, prelude ...Definition) *Script {
	shebang, body, _ := strings.Cut(source, "\n")
	names := strings.FieldsFunc(comment.ReplaceAllString(body, ""), notInName)
	var used []string
	for _, d := range prelude {
		if slices.Contains(names, d.Name) {
			used = append(used, d.Lua)
		}
	}
	if len(used) > 0 {
		source = shebang + "\n" + strings.Join(used, "; ") + "\n" + body
	}
	sum := sha1.Sum([]byte(source))
	s := &Script{name: name, spanName: "redis " + name, source: source, sha: hex.EncodeToString(sum[:])}
	switch {
	case strings.Contains(shebang, "no-writes"):
		s.needs = readOnly
	case strings.Contains(shebang, "allow-oom"):
		s.needs = full
	default:
		s.needs = available
	}
	s.call = appendString(appendString(nil, "EVALSHA"), s.sha)
	return s
}

// comment matches a Lua comment.
var comment = regexp.MustCompile(`--[^\n]*`)

// notInName reports whether a character cannot be part of a name in Lua.
func notInName(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// Name returns the script's name.
func (s *Script) Name() string { return s.name }

// SHA returns the SHA-1 digest of the source, for EVALSHA.
func (s *Script) SHA() string { return s.sha }

// Source returns the source, with the definitions that the script uses.
func (s *Script) Source() string { return s.source }

// Body returns the source without its first line, the shebang.
func (s *Script) Body() string {
	_, body, _ := strings.Cut(s.source, "\n")
	return body
}

// isNoScript reports whether an error is NOSCRIPT: the shard has lost the script, for example in a restart, so the
// script did not run.
func isNoScript(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") }
