package faultproxy

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
)

// Scripts maps the SHA-1 of each script to the script's name. When an instance connects to Redis, the instance loads
// all of its scripts with SCRIPT LOAD. The proxies read the names from these commands.
type Scripts struct{ names sync.Map } // by SHA-1

// scriptName matches the first comment of a script, "-- name: …".
var scriptName = regexp.MustCompile(`(?m)^-- (\w+): `)

// learn stores the name of a loaded script. The variant for requests with an idempotency key is named "<name> once".
func (s *Scripts) learn(source string) {
	match := scriptName.FindStringSubmatch(source)
	if match == nil {
		return
	}
	name := match[1]
	if strings.Contains(source, "\nlocal function work()\n") {
		name += " once"
	}
	sum := sha1.Sum([]byte(source))
	s.names.Store(hex.EncodeToString(sum[:]), name)
}

// name returns the name of a script, or "" if no instance has loaded the script.
func (s *Scripts) name(sha string) string {
	name, _ := s.names.Load(sha)
	text, _ := name.(string)
	return text
}

// has reports whether a script with this name was loaded.
func (s *Scripts) has(name string) (found bool) {
	s.names.Range(func(_, loaded any) bool {
		found = found || loaded == name
		return !found
	})
	return found
}
