package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// Script is a Lua script that runs atomically on one shard.
type Script struct {
	name, source, sha string
	call              []byte // how a command that runs it starts, after its length
	spanName          string
}

// MustScript returns the script lua/<name>.lua of an embedded folder. prelude is Lua that runs before it, on one line: it defines the
// constants that Go and Lua share. MustScript panics if there is no such file.
func MustScript(files fs.FS, name, prelude string) *Script {
	source, err := fs.ReadFile(files, "lua/"+name+".lua")
	if err != nil {
		panic(fmt.Sprintf("redis: script %s: %v", name, err))
	}
	shebang, body, _ := strings.Cut(string(source), "\n")
	return NewScript(name, shebang+"\n"+prelude+"\n"+body)
}

// NewScript returns a script of a name and its source, which starts with a shebang line.
func NewScript(name, source string) *Script {
	sum := sha1.Sum([]byte(source))
	s := &Script{name: name, spanName: "redis " + name, source: source, sha: hex.EncodeToString(sum[:])}
	s.call = appendString(appendString(nil, "EVALSHA"), s.sha)
	return s
}

// Name returns the script's name.
func (s *Script) Name() string { return s.name }

// SHA returns the digest by which EVALSHA finds the script.
func (s *Script) SHA() string { return s.sha }

// Body returns the source without its first line, the shebang.
func (s *Script) Body() string {
	_, body, _ := strings.Cut(s.source, "\n")
	return body
}

// isNoScript reports the one error reply after which a script certainly did not run: the shard lost it in a restart.
func isNoScript(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") }
