package faultproxy

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
)

// Scripts maps the SHA-1 of scripts to their names. Proxies fill it from SCRIPT LOAD: every instance loads all of its
// scripts when it connects.
type Scripts struct{ names sync.Map } // by SHA-1

// scriptName finds the name in a script's header: its first comment is "-- name: …".
var scriptName = regexp.MustCompile(`(?m)^-- (\w+): `)

// learn stores the name of a loaded script. "<name> once" is the variant for requests with an idempotency key.
func (s *Scripts) learn(source string) {
	found := scriptName.FindStringSubmatch(source)
	if found == nil {
		return
	}
	name := found[1]
	if strings.Contains(source, "\nlocal function work()\n") {
		name += " once"
	}
	sum := sha1.Sum([]byte(source))
	s.names.Store(hex.EncodeToString(sum[:]), name)
}

// name returns the name of a script, or "" if no instance has loaded it.
func (s *Scripts) name(sha string) string {
	name, _ := s.names.Load(sha)
	text, _ := name.(string)
	return text
}

// has reports whether a script of that name was loaded.
func (s *Scripts) has(name string) (found bool) {
	s.names.Range(func(_, loaded any) bool {
		found = found || loaded == name
		return !found
	})
	return found
}
