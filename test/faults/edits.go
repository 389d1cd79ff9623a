package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"checkout/test/stack"
)

// edit replaces a string that occurs exactly once in a source file. If the name of the file is "order: common/x.go",
// only the order service gets the edit, and the other services need no build.
type edit struct{ file, old, new string }

// sources are the contents of changed files, by file name as in an edit, such as "order: common/x.go".
type sources map[string]string

// edited returns the sources with the edits applied in order.
func (s sources) edited(edits []edit) (sources, error) {
	all := sources{}
	maps.Copy(all, s)
	for _, e := range edits {
		text, err := all.text(e.file)
		if err != nil {
			return nil, err
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("edit %s: %d occurrences, want 1, of:\n%s", e.file, n, e.old)
		}
		all[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return all, nil
}

// text returns the content of a file, changed or not.
func (s sources) text(file string) (string, error) {
	if text, ok := s[file]; ok {
		return text, nil
	}
	if _, path, ok := strings.Cut(file, ": "); ok {
		return s.text(path)
	}
	root, err := stack.Root()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(root, file))
	return string(text), err
}

// programsOf returns the programs to which an edit of a file applies. An edit in the folder common does not apply to
// the keeper, although the keeper also uses this folder.
func programsOf(file string) []string {
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

// configure makes a system use the sources. It adds Go files to the build overlay. Scripts need no build: configure
// writes them to the folder $SCRIPTS of each service, and readScripts makes the service read them at run time.
func (s sources) configure(cfg *stack.Config, folder string) error {
	cfg.Overlay = stack.Overlay{}
	for _, service := range append(stack.Services(), "keeper") {
		cfg.Overlay[service] = map[string]string{}
		scripts := filepath.Join(folder, "lua", service)
		if err := os.MkdirAll(scripts, 0o755); err != nil {
			return err
		}
		cfg.Env[service] = append(cfg.Env[service], "SCRIPTS="+scripts)
	}
	for file, text := range s {
		only, path, ok := strings.Cut(file, ": ")
		if !ok {
			path = file
		}
		for _, service := range programsOf(path) {
			if _, other := s[service+": "+path]; ok && service != only || !ok && other {
				continue
			}
			if !strings.HasSuffix(path, ".lua") {
				cfg.Overlay[service][path] = text
				continue
			}
			script := filepath.Join(folder, "lua", service, filepath.Base(path))
			if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// readScripts makes the services read each script from the folder $SCRIPTS, if the folder has it.
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

// productWithShortTimes returns the sources of the correct services, with readScripts and shortTimes applied.
func productWithShortTimes() (sources, error) {
	return sources{}.edited(slices.Concat(readScripts, shortTimes))
}

// shortTimes shortens the lease, the deadline, the timeouts and the retention of records. The refund window stays
// longer than the deadline, so that the record of a refund expires after the record of the refunded reservation. If the
// record of the refund expired first, the checkers would report a violation.
var shortTimes = []edit{
	{"common/protocol/protocol.go", "Lease = 5 * time.Second", "Lease = time.Second"},
	{"common/protocol/protocol.go", "Deadline = 30 * time.Second", "Deadline = 3 * time.Second"},
	{"common/protocol/protocol.go", "RefundWindow = 60 * time.Second", "RefundWindow = 4 * time.Second"},
	{"common/protocol/protocol.go", "Retention = 60 * time.Second", "Retention = 3 * time.Second"},
	{"order/saga/coordinator.go", "forwardBudget = 8 * time.Second", "forwardBudget = 2500 * time.Millisecond"},
	{"common/peer/peer.go", "callTimeout = 5 * time.Second", "callTimeout = 600 * time.Millisecond"},
	{"order/saga/recovery.go", "confirmClaim  = 10 * time.Second", "confirmClaim  = time.Second"},
}

// shortRecordRetention is the RecordRetention of a snapshot if shortTimes is applied. It must be less than the short
// Retention, 3 s, minus the allowed clock difference, 1.5 s.
const shortRecordRetention = time.Second
