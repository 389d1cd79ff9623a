package redisdb

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// Script is a Lua script that runs atomically on one shard.
type Script struct {
	name, source, sha string
	call              []byte // how a command that runs it begins, after its length
	spanName          string

	makeOnce sync.Once
	once     *Script // made when first needed
}

// MustScript returns the script lua/<name>.lua of an embedded folder; that it is there is known at build time.
func MustScript(files fs.FS, name string) *Script {
	source, err := fs.ReadFile(files, "lua/"+name+".lua")
	if err != nil {
		panic(fmt.Sprintf("redisdb: script %s: %v", name, err))
	}
	return newScript(name, string(source))
}

func newScript(name, source string) *Script {
	sum := sha1.Sum([]byte(source))
	s := &Script{name: name, spanName: "redis " + name, source: source, sha: hex.EncodeToString(sum[:])}
	s.call = appendText(appendText(nil, "EVALSHA"), s.sha)
	return s
}

// Name returns the script's name.
func (s *Script) Name() string { return s.name }

// isNoScript tells the one refusal that is known to have done nothing: the shard has lost the script, by a restart.
func isNoScript(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") }

// SHA names the script to EVALSHA.
func (s *Script) SHA() string { return s.sha }
