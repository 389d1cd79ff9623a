package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"checkout/test/stack"
)

// edit replaces a piece of a source file, which must be there exactly once: an edit that no longer fits the source says nothing.
type edit struct{ file, old, new string }

// sources are the texts of files that differ from the project's, by their names from its root.
type sources map[string]string

// edited returns the sources with edits made one after the other.
func (s sources) edited(edits []edit) (sources, error) {
	all := sources{}
	maps.Copy(all, s)
	for _, e := range edits {
		text, err := all.text(e.file)
		if err != nil {
			return nil, err
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s holds %d times what is to be replaced there:\n%s", e.file, n, e.old)
		}
		all[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return all, nil
}

// text is a file's text.
func (s sources) text(file string) (string, error) {
	if text, ok := s[file]; ok {
		return text, nil
	}
	root, err := stack.Root()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(root, file))
	return string(text), err
}

// users are the services that a file is a part of.
func users(file string) []string {
	first, _, _ := strings.Cut(file, "/")
	switch {
	case first != "common":
		return []string{first}
	case strings.HasPrefix(file, "common/participant/"):
		return []string{"stock", "payment"}
	case strings.HasPrefix(file, "common/peer/"):
		return []string{"order"}
	}
	return stack.Services()
}

// put has a system built and run from the sources: Go files by an overlay for the go command; scripts by files in a folder, one for
// each service, which the services read because of readScripts, so that they need no build of their own.
func (s sources) put(cfg *stack.Config, folder string) error {
	cfg.Overlay = stack.Overlay{}
	for _, service := range stack.Services() {
		cfg.Overlay[service] = map[string]string{}
		scripts := filepath.Join(folder, "lua", service)
		if err := os.MkdirAll(scripts, 0o755); err != nil {
			return err
		}
		cfg.Env[service] = append(cfg.Env[service], "SCRIPTS="+scripts)
	}
	for file, text := range s {
		for _, service := range users(file) {
			if !strings.HasSuffix(file, ".lua") {
				cfg.Overlay[service][file] = text
				continue
			}
			if err := os.WriteFile(filepath.Join(folder, "lua", service, filepath.Base(file)), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// readScripts has the services take a script from a folder, if it is there.
var readScripts = []edit{
	{"common/redis/script.go", `	source, err := fs.ReadFile(files, "lua/"+name+".lua")
`, `	source, err := os.ReadFile(os.Getenv("SCRIPTS") + "/" + name + ".lua")
	if err != nil {
		source, err = fs.ReadFile(files, "lua/"+name+".lua")
	}
`},
	{"common/redis/script.go", `	"io/fs"
`, `	"io/fs"
	"os"
`},
}

// productInShort is the product with quick times.
func productInShort() (sources, error) {
	return sources{}.edited(slices.Concat(readScripts, quickTimes))
}

// quickTimes shortens what has to be waited for, in proportion: leases, deadlines, and how long records outlive them.
var quickTimes = []edit{
	{"order/checkout.go", "lease       = 5 * time.Second", "lease       = 1 * time.Second"},
	{"order/checkout.go", "deadline    = 30 * time.Second", "deadline    = 3 * time.Second"},
	{"order/checkout.go", "goForward   = 8 * time.Second", "goForward   = 2500 * time.Millisecond"},
	{"common/peer/peer.go", "callTimeout  = 5 * time.Second", "callTimeout  = 600 * time.Millisecond"},
	{"order/recovery.go", "confirmClaim  = 10 * time.Second", "confirmClaim  = time.Second"},
	{"common/participant/lua/reserve.lua", "ARGV[1] + 60000", "ARGV[1] + 2000"},
	{"common/participant/lua/release.lua", "ARGV[1] + 60000", "ARGV[1] + 2000"},
	{"order/lua/commit.lua", "f[4] + 60000", "f[4] + 2000"},
	{"order/lua/cancel.lua", "now + 60000", "now + 2000"},
	{"order/lua/claim.lua", "now + 60000", "now + 2000"},
	{"order/lua/cancelled.lua", "1000 + 1000 + 60000 + 60000", "1000 + 1000 + 2000 + 3000"},
}

// quickRecordsKept is how long after a deadline records are there for sure, with quickTimes.
const quickRecordsKept = 1000 // ms
